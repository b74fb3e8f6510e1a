import type { NextConfig } from 'next'

const config: NextConfig = {
  output: 'standalone',
  // The engine starts processes from files of its own package, so they must stay files. better-sqlite3 is known to Next.
  serverExternalPackages: ['@sqlite-backup/core'],
}

export default config
