/** What a notice is, and how one follows from another. Pure: times come from outside. */
import type { DeviceId } from '@segue/core'

export type NoticeKind =
  | 'wrong-code'
  | 'stranger-refused'
  | 'device-added'
  | 'device-removed'
  | 'device-promoted'
  | 'same-key-twice'
  | 'store-went-back'
  | 'clock-off'
  | 'many-deleted'
  | 'relay-behind'
  | 'update-needed'

/** warning: somebody may be at work, or work may be lost. info: something changed that a person should have wanted. */
export const NOTICE_KINDS: Readonly<Record<NoticeKind, 'warning' | 'info'>> = {
  'wrong-code': 'warning',
  'stranger-refused': 'info',
  'device-added': 'info',
  'device-removed': 'info',
  'device-promoted': 'info',
  'same-key-twice': 'warning',
  'store-went-back': 'warning',
  'clock-off': 'warning',
  'many-deleted': 'warning',
  'relay-behind': 'warning',
  'update-needed': 'warning',
}

export interface Notice {
  /** The kind, and the subject where there is one: what happens again is the same notice. */
  readonly id: string
  readonly kind: NoticeKind
  readonly weight: 'warning' | 'info'
  /** The device or relay it is about. */
  readonly subject: DeviceId | undefined
  /** Who did it, as the group's log has it. */
  readonly by: DeviceId | undefined
  /** Milliseconds since 1970 on this device: the first and the last time. */
  readonly since: number
  readonly lastAt: number
  /** How often it happened. */
  readonly count: number
  /** Of a state that lasts: when it was over. */
  readonly endedAt: number | undefined
}

/** As kept: a dismissed one is remembered as long as the state that it is about lasts. */
export interface KeptNotice extends Notice {
  readonly isDismissed: boolean
}

export interface Happening {
  readonly kind: NoticeKind
  readonly subject?: DeviceId | undefined
  readonly by?: DeviceId | undefined
  readonly at: number
  /** Default 1. */
  readonly count?: number
  /** It goes on until `end`: happening again while it lasts is no news. */
  readonly lasts?: boolean
}

export const MAX_NOTICES = 64

export function noticeId(kind: NoticeKind, subject: DeviceId | undefined): string {
  return subject === undefined ? kind : `${kind}:${subject}`
}

/** The notice after it happened (again); the same object when that is no news. */
export function happened(before: KeptNotice | undefined, { kind, subject, by, at, count = 1, lasts = false }: Happening): KeptNotice {
  if (before !== undefined && lasts && before.endedAt === undefined) return before
  const isOneMore = before !== undefined && !before.isDismissed
  return {
    id: noticeId(kind, subject),
    kind,
    weight: NOTICE_KINDS[kind],
    subject,
    by,
    since: isOneMore ? before.since : at,
    lastAt: at,
    count: (isOneMore ? before.count : 0) + count,
    endedAt: undefined,
    isDismissed: false,
  }
}

/** What has to go so that MAX_NOTICES are left: dismissed ones, then what only informs, then the oldest. */
export function excess(notices: readonly KeptNotice[]): readonly KeptNotice[] {
  const rank = ({ isDismissed, weight }: KeptNotice): number => (isDismissed ? 0 : weight === 'info' ? 1 : 2)
  const count = Math.max(0, notices.length - MAX_NOTICES)
  return notices.toSorted((a, b) => rank(a) - rank(b) || a.lastAt - b.lastAt).slice(0, count)
}
