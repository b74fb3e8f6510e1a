import { memory } from './memory.ts'
import { storageSuite } from './storage-suite.ts'

storageSuite({ name: 'memory', open: () => memory() })
