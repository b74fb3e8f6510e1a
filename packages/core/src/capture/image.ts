/** One consistent state of a database, page by page. */
export interface Image {
  readonly pageSize: number
  readonly pageCount: number
  /** Fills `target` (whole pages) with the pages from `firstPage` (1-based) on. */
  read(target: Buffer, firstPage: number): Promise<void>
}

export function imageBytes(image: Image): number {
  return image.pageCount * image.pageSize
}
