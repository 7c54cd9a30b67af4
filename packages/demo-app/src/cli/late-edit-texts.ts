/** How late edits read on the command line. */
import { ago, shortId } from './output.ts'

export interface LateEditRow {
  readonly id: string
  readonly kind: 'quarantined' | 'built-on'
  readonly title: string
  readonly authorName?: string
  readonly time?: number
  readonly edits: number
  readonly bytes?: number
  readonly suggested: string
}

export const LATE_EDIT_HEADINGS: readonly string[] = ['ID', 'KIND', 'WHERE', 'BY', 'WHEN', 'SIZE', 'SUGGESTED']
/** Conflicts have nothing to say under these. */
export const LATE_EDIT_ONLY: readonly string[] = ['BY', 'WHEN', 'SIZE']

export function lateEditCells({ id, kind, title, authorName, time, edits, bytes, suggested }: LateEditRow): readonly string[] {
  const size = `${edits} edit${edits === 1 ? '' : 's'}${bytes === undefined ? '' : `, ${bytes} bytes`}`
  return [
    shortId(id),
    `late, ${kind}`,
    title,
    authorName ?? 'nobody says',
    time === undefined ? '' : ago(Date.now() - time),
    size,
    suggested,
  ]
}

export function lateEditHint(rows: readonly LateEditRow[]): readonly string[] {
  if (rows.length === 0) return []
  return [
    'Late edits were written under a key that a removed device knows, after its removal. quarantined: in no document. built-on: in the',
    'document, because a device went on from it before it knew. segue conflicts resolve ID accept|discard decides for all your devices.',
  ]
}
