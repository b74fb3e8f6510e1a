import type { CapturedBackup } from '../capture/protocol.ts'
import type { BeforeMigration, Lineage, Manifest, Tier, Trigger } from '../catalog/manifest.ts'
import type { Compression, Encryption } from '../codec/codec.ts'

export interface ManifestFacts {
  readonly id: string
  readonly key: string
  readonly database: string
  readonly tier: Tier
  readonly name?: string
  readonly trigger: Trigger
  readonly actor?: string
  readonly job?: string
  readonly lineage: Lineage
  readonly compression: Compression
  readonly encryption?: Encryption
  readonly engine: Manifest['engine']
  readonly appVersion?: string
  readonly beforeMigration?: BeforeMigration
  readonly captured: Pick<CapturedBackup, 'at' | 'source' | 'plain' | 'stored'>
}

/** The manifest of a captured backup. Recipients are public keys; a passphrase is only named as such. */
export function buildManifest(facts: ManifestFacts): Manifest {
  const { captured, encryption } = facts
  return {
    format: 1,
    id: facts.id,
    database: facts.database,
    created: captured.at,
    tier: facts.tier,
    ...(facts.name === undefined ? {} : { name: facts.name }),
    trigger: facts.trigger,
    ...(facts.actor === undefined ? {} : { actor: facts.actor }),
    ...(facts.job === undefined ? {} : { job: facts.job }),
    lineage: facts.lineage,
    source: captured.source,
    body: facts.key,
    plain: captured.plain,
    stored: captured.stored,
    compression: facts.compression,
    ...(encryption === undefined
      ? {}
      : {
          encryption: {
            method: 'age',
            recipients: 'recipients' in encryption ? encryption.recipients : 'passphrase',
          } as const,
        }),
    engine: facts.engine,
    ...(facts.appVersion === undefined ? {} : { appVersion: facts.appVersion }),
    ...(facts.beforeMigration === undefined ? {} : { beforeMigration: facts.beforeMigration }),
  }
}
