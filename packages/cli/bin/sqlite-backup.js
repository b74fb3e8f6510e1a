#!/usr/bin/env node
// Only syntax that older versions of Node read too: they are told what is missing instead of showing a stack.
const [major, minor, patch] = process.versions.node.split('.').map(Number)
const isAtLeast = (wantedMinor, wantedPatch) => minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch)
const isSupported = (major === 22 && isAtLeast(22, 3)) || (major === 24 && isAtLeast(15, 0)) || major > 24

if (!isSupported) {
  console.error(`✖ sqlite-backup needs Node 22.22.3 or later, or 24.15 or later; this is ${process.version}.`)
  console.error('  UNSUPPORTED_PLATFORM')
  process.exitCode = 2
} else if (process.platform === 'win32') {
  console.error('✖ sqlite-backup does not run on Windows yet.\n  Use it in WSL 2.\n  UNSUPPORTED_PLATFORM')
  process.exitCode = 2
} else {
  await import('../dist/main.js')
}
