import { defineConfig, every } from '@sqlite-backup/core'

const { DATA_DIR = './data', BACKUPS = './backups' } = process.env

// The app and the command line (`npx sqlite-backup list`) both read this file.
export default defineConfig({
  databases: { shop: `${DATA_DIR}/shop.db` },
  storages: { offsite: BACKUPS }, // in production BACKUPS=s3://acme-backups/shop, with @sqlite-backup/storage-s3 installed
  jobs: { often: { schedule: every('15m') } },
  retention: 'default',
})
