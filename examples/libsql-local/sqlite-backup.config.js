import { defineConfig, every } from '@sqlite-backup/core'

const { DATA_DIR = './data', BACKUPS = './backups' } = process.env

// Read by @sqlite-backup/core/boot, which `npm start` loads before the app, and by the command line.
export default defineConfig({
  databases: { shop: `${DATA_DIR}/shop.db` },
  storages: { offsite: BACKUPS }, // in production BACKUPS=s3://acme-backups/shop, with @sqlite-backup/storage-s3 installed
  jobs: { often: { schedule: every('15m') } },
  retention: 'default',
})
