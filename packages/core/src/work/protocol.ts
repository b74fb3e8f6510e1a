import type { DecodeOptions, Digest, EncodeOptions, EncodeResult } from '../codec/codec.ts'

/** What the engine may ask of the work process. It never opens a live database. */
export type WorkMethods = {
  /** Reads a body from the input pipe, writes the database image to `file`, not yet fsynced. Any broken promise throws and removes the file. */
  decode: {
    params: { readonly file: string; readonly options: DecodeOptions; readonly reserveBytes: number }
    result: { readonly plain: Digest; readonly stored: Digest }
    event: { readonly plainBytes: number }
  }
  /** Reads a body from the input pipe and hashes it. */
  hash: { params: { readonly expect?: Digest }; result: Digest; event: { readonly storedBytes: number } }
  /** Opens an image (never a live database) and lets SQLite look at it. */
  check: {
    params: { readonly file: string; readonly depth: 'quick' | 'full'; readonly rowCounts: boolean }
    result: CheckReport
  }
  /** Packs an image that is not live (a safety copy) into a body. */
  encode: {
    params: { readonly file: string; readonly spoolFile: string; readonly encode: EncodeOptions }
    result: EncodeResult
    event: { readonly plainBytes: number }
  }
  /** Schema and row counts of two images side by side. */
  diff: { params: { readonly before: string; readonly after: string }; result: DiffReport }
  /** All that a migration must not lose, of an image. */
  survey: { params: { readonly file: string; readonly bookkeeping: readonly string[] }; result: ImageSurvey }
}

export interface CheckReport {
  /** `unknown`: SQLite could not check it, because it needs the app's own collation, function or module. */
  readonly outcome: 'ok' | 'damaged' | 'unknown'
  /** First lines of quick_check or integrity_check, or why it could not run. */
  readonly messages: readonly string[]
  /** Reported, never refused: they may always have been there. */
  readonly foreignKeyViolations: number
  readonly tables?: Readonly<Record<string, number>>
  readonly pageSize: number
  readonly pageCount: number
  readonly userVersion: number
  readonly schemaHash: string
}

export interface DiffReport {
  readonly tables: readonly {
    readonly name: string
    readonly before: number | null
    readonly after: number | null
    readonly schemaChanged: boolean
  }[]
}

/** An image as a migration should find and leave it. */
export interface ImageSurvey extends Pick<CheckReport, 'outcome' | 'messages' | 'pageCount'> {
  /** By name, without the shadow tables of virtual ones. */
  readonly tables: Readonly<Record<string, SurveyedTable>>
  /** Rows that refer to another one, by `table.column`, where deleting that one would only take the reference away. */
  readonly references: Readonly<Record<string, number>>
  /** Rows that refer to nothing, by `child → parent`. */
  readonly violations: Readonly<Record<string, number>>
  /** Over the SQL of everything but the migrators' own tables. */
  readonly schemaSha256: string
  /** Names (else hashes) in the migrators' own tables, by table. */
  readonly migrations: Readonly<Record<string, readonly string[]>>
  /** Over the file without the counters in its header: equal for two captures of equal content, also after a restore. */
  readonly contentSha256: string
}

export interface SurveyedTable {
  /** `null`: SQLite could not count them without the app. */
  readonly rows: number | null
  readonly columns: readonly string[]
}
