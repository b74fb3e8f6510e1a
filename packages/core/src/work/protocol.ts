import type { DecodeOptions, DecodeResult, Digest, EncodeOptions, EncodeResult } from '../codec/codec.ts'

/** What the engine may ask of the work process. It never opens a live database. */
export type WorkMethods = {
  /** From now on this process works behind the app. */
  giveWay: { params: undefined; result: undefined }
  /**
   * Reads a body from `body`, else from the input pipe, and writes the database image to `file`, not yet fsynced. Any
   * broken promise throws and removes the file.
   */
  decode: {
    params: {
      readonly body?: string
      readonly file: string
      readonly options: DecodeOptions
      readonly reserveBytes: number
    }
    result: DecodeResult
    event: { readonly plainBytes: number }
  }
  /** Reads a body from `body`, else from the input pipe, and hashes it. */
  hash: {
    params: { readonly body?: string; readonly expect?: Digest }
    result: Digest
    event: { readonly storedBytes: number }
  }
  /** Holds the file of an image against its digest. @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_DIGEST_MISMATCH` */
  hashImage: { params: { readonly file: string; readonly expect: Digest }; result: Digest }
  /** Opens an image (never a live database) and lets SQLite look at it. */
  check: {
    params: {
      readonly file: string
      readonly depth: 'quick' | 'full'
      readonly rowCounts: boolean
      readonly foreignKeys?: boolean
      readonly cacheBytes?: number
    }
    result: CheckReport
  }
  /** What `check` leaves out with `foreignKeys: false`. */
  checkForeignKeys: { params: { readonly file: string }; result: ForeignKeyReport }
  /** Packs an image that is not live (a safety copy) into a body. */
  encode: {
    params: { readonly file: string; readonly spoolFile: string; readonly encode: EncodeOptions }
    result: EncodeResult
    event: { readonly plainBytes: number }
  }
  /** What would change if one image took the place of the other; without `now` there is nothing yet. */
  diff: { params: { readonly now?: string; readonly after: string }; result: DiffReport }
  /** All that a migration must not lose, of an image. */
  survey: {
    params: {
      readonly file: string
      readonly bookkeeping: readonly string[]
      readonly cacheBytes?: number
      readonly since?: SurveyedBefore
    }
    result: ImageSurvey
  }
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

export type ForeignKeyReport = Pick<CheckReport, 'outcome' | 'messages' | 'foreignKeyViolations'>

export interface DiffReport {
  /** Not one byte of content differs. */
  readonly isSame: boolean
  /** By name; without SQLite's own, and without those a virtual table keeps its data in. */
  readonly tables: readonly TableDifference[]
  /** Indexes, triggers and views that differ. */
  readonly objects: readonly SchemaDifference[]
}

/** `goes`: it is there now and will not be. `comes`: the other way round. */
export type SchemaChange = 'same' | 'changed' | 'goes' | 'comes'

export interface TableDifference {
  readonly name: string
  /** Rows; `null`: not there, or not countable without the app. */
  readonly now: number | null
  readonly after: number | null
  readonly schema: SchemaChange
  readonly columnsGoing: readonly string[]
  readonly columnsComing: readonly string[]
  /** Told apart by the primary key; absent when there is none, or the app's own functions are needed. */
  readonly rowsGoing?: number
  readonly rowsChanging?: number
  readonly rowsComing?: number
}

export interface SchemaDifference {
  readonly type: 'index' | 'trigger' | 'view'
  readonly name: string
  /** The table it belongs to. */
  readonly table: string
  readonly schema: Exclude<SchemaChange, 'same'>
}

/** An older image, and what a survey of it found. */
export interface SurveyedBefore {
  readonly file: string
  readonly tables: ImageSurvey['tables']
  /** Their names, as `table.column`. */
  readonly references: readonly string[]
}

/** An image as a migration should find and leave it. */
export interface ImageSurvey extends Pick<CheckReport, 'outcome' | 'messages' | 'pageCount'> {
  /** By name, without the shadow tables of virtual ones. */
  readonly tables: Readonly<Record<string, SurveyedTable>>
  /**
   * Rows that refer to another one, by `table.column`, where deleting that one would only take the reference away, or
   * would have in `since`.
   */
  readonly references: Readonly<Record<string, number>>
  /** Rows that refer to nothing, by `child → parent`. */
  readonly violations: Readonly<Record<string, number>>
  /** Over the SQL of everything but the migrators' own tables. */
  readonly schemaSha256: string
  /** What is booked as applied in the migrators' own tables, by table, in the order in which it was booked. */
  readonly migrations: Readonly<Record<string, readonly BookedMigration[]>>
  /** Who refers to whom, and what a delete there does here. */
  readonly foreignKeys: readonly SurveyedForeignKey[]
  /** In tables that have as many rows as `since`, or more: how many of its rows are gone all the same, by primary key. */
  readonly goneKeys: Readonly<Record<string, number>>
  /** Of tables of `since` that are gone: how many of their rows a new table that may be theirs does not have, by its name. */
  readonly goneRows: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** In tables of `since`: columns that have another name now, with every value of before, by the old one. */
  readonly renamedColumns: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** In tables that have all the rows of `since`: columns whose values are gone, by table and column. */
  readonly lostValues: Readonly<Record<string, Readonly<Record<string, LostValues>>>>
  /** Triggers and views, by name. */
  readonly objects: Readonly<Record<string, 'trigger' | 'view'>>
  /** Over the file without the counters in its header: equal for two captures of equal content, also after a restore. */
  readonly contentSha256: string
}

/** Migrators keep the name, a hash of the content (Drizzle), or both. */
export interface BookedMigration {
  readonly name?: string
  readonly hash?: string
  /** Drizzle's moment of the migration, in ms. */
  readonly createdAt?: number
}

export interface SurveyedForeignKey {
  readonly child: string
  readonly parent: string
  /** `CASCADE`, `SET NULL`, `NO ACTION` … */
  readonly onDelete: string
}

export interface SurveyedTable {
  /** `null`: SQLite could not count them without the app. */
  readonly rows: number | null
  readonly columns: readonly string[]
  /** Where it lies; 0 for a virtual table. A table that is rebuilt lies elsewhere. */
  readonly rootPage: number
}

/** Different values of a column, without NULL and empty text. */
export interface LostValues {
  readonly before: number
  readonly after: number
}
