import type { Config } from './config.ts'
import { validateConfig } from './validate-config.ts'

/**
 * A config, checked as it is written. The same object comes back.
 *
 * @example
 * // sqlite-backup.config.mts
 * import { defineConfig, filesystem } from '@sqlite-backup/core'
 *
 * export default defineConfig({
 *   databases: { app: './data/app.db' },
 *   storages: { disk: filesystem({ dir: '/mnt/backups' }), offsite: 's3://acme-backups/app' },
 * })
 *
 * @throws BackupError `CONFIG_INVALID`
 */
export function defineConfig<const C extends Config>(config: C): C {
  validateConfig(config)
  return config
}
