/**
 * For tests: conformance suites that every adapter runs whole, storages that fail on cue, and throw-away servers.
 *
 * @packageDocumentation
 */
export { type HostSuiteOptions, hostSuite } from './start/host-suite.ts'
export { type AppProcess, startProcess } from './start/testing/app-process.ts'
export { createMachine, type Machine, type MachineOptions, type RunningApp } from './start/testing/machine.ts'
export { plainApp } from './start/testing/plain-app.ts'
export type { Clock } from './storage/clock.ts'
export { type Cue, type FaultyOptions, type FaultyStorage, faulty } from './storage/faulty.ts'
export { memory } from './storage/memory.ts'
export { type StorageSuiteOptions, storageSuite } from './storage/storage-suite.ts'
export { type FakeClock, fakeClock } from './storage/testing/fake-clock.ts'
export {
  type Direction,
  type Fault,
  type FaultProxy,
  type FaultProxyOptions,
  startFaultProxy,
} from './storage/testing/fault-proxy.ts'
export { missingBinaries } from './storage/testing/missing-binaries.ts'
export { hasRgw, type Rgw, type RgwOptions, startRgw } from './storage/testing/rgw.ts'
export type { StorageTraits } from './storage/testing/suite/context.ts'
export { type CountedStorage, type StorageOperation, withCount } from './storage/with-count.ts'
