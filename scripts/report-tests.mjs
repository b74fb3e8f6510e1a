// A Vitest reporter for `npm test`: counts, what failed and why, and what did not pass at its first try. It writes
// one small JSON file, of which check.mjs prints the end of the run: a long log that is cut still names the failure.
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

// biome-ignore lint/suspicious/noUndeclaredEnvVars: check.mjs sets it, Turborepo has no part in it
const path = process.env.TEST_REPORT

function describeError(error) {
  return [error.message, ...(error.stacks ?? []).slice(0, 2).map((at) => `at ${at.file}:${at.line}`)].join('\n')
}

function* failuresOf(module) {
  const file = relative(process.cwd(), module.moduleId)
  for (const error of module.errors()) yield { file, name: '(the file itself)', error: describeError(error) }
  for (const suite of module.children.allSuites())
    for (const error of suite.errors()) yield { file, name: suite.fullName, error: describeError(error) }
  for (const test of module.children.allTests('failed'))
    yield { file, name: test.fullName, error: (test.result().errors ?? []).map(describeError).join('\n') }
}

export default class ReportTests {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, skipped: [], failures: [], laterTry: [] }
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId)
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') report.passed++
        if (state === 'skipped') report.skipped.push({ file, name: test.fullName })
        if (test.diagnostic()?.flaky) report.laterTry.push({ file, name: test.fullName })
      }
      report.failures.push(...failuresOf(module))
    }
    for (const error of unhandledErrors)
      report.failures.push({ file: '', name: '(outside of any test)', error: describeError(error) })
    writeFileSync(path, JSON.stringify(report))
  }
}
