/**
 * For tests: conformance suites that every adapter runs whole, storages that fail on cue, and throw-away servers.
 *
 * @packageDocumentation
 */
export { type StorageSuiteOptions, storageSuite } from './storage/storage-suite.ts'
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
