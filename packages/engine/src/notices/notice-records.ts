/** Notices, and what was known of the group when they were last looked for, in sealed records. Content-free: ids, fixed words, numbers. */
import { decodeCbor, encodeCbor, isDeviceId, wholeNumber, type DeviceId, type GroupId } from '@segue/core'
import type { RecordStore } from '@segue/core/ports'
import * as v from 'valibot'
import { MAX_NOTICES, NOTICE_KINDS, noticeId, type KeptNotice, type NoticeKind } from './notice.ts'

/** As a device last saw the group. */
export interface KnownGroup {
  readonly group: GroupId
  readonly devices: ReadonlyMap<DeviceId, { readonly isAdmin: boolean; readonly isRemoved: boolean }>
}

/** Damaged ones are passed over. */
export async function loadNotices(records: RecordStore): Promise<Map<string, KeptNotice>> {
  const notices = new Map<string, KeptNotice>()
  for await (const [, value] of records.list(NOTICE_PREFIX)) {
    const read = decodeCbor(NOTICE, value, MAX_RECORD_BYTES)
    if (!read.ok || notices.size >= 2 * MAX_NOTICES) continue
    const { kind, subject, by, since, lastAt, count, endedAt, isDismissed } = read.value
    const id = noticeId(kind, subject as DeviceId | undefined)
    const ids = { subject: subject as DeviceId | undefined, by: by as DeviceId | undefined }
    notices.set(id, { id, kind, weight: NOTICE_KINDS[kind], ...ids, since, lastAt, count, endedAt, isDismissed })
  }
  return notices
}

/** `undefined`: it goes. Durable when it resolves. */
export async function saveNotices(records: RecordStore, changes: ReadonlyMap<string, KeptNotice | undefined>): Promise<void> {
  await records.write(new Map([...changes].map(([id, notice]) => [NOTICE_PREFIX + id, notice && encodeNotice(notice)])))
}

export async function loadKnownGroup(records: RecordStore): Promise<KnownGroup | undefined> {
  const stored = await records.get(KNOWN_KEY)
  const read = stored && decodeCbor(KNOWN, stored, MAX_KNOWN_BYTES)
  if (read?.ok !== true) return undefined
  const devices = read.value.devices.map(([id, role, isRemoved]) => [id as DeviceId, { isAdmin: role === 'admin', isRemoved }] as const)
  return { group: read.value.group as GroupId, devices: new Map(devices) }
}

export async function saveKnownGroup(records: RecordStore, { group, devices }: KnownGroup): Promise<void> {
  const listed = [...devices].map(([id, { isAdmin, isRemoved }]) => [id, isAdmin ? 'admin' : 'member', isRemoved])
  await records.write(new Map([[KNOWN_KEY, encodeCbor({ v: 1, group, devices: listed })]]))
}

const NOTICE_PREFIX = 'notices/list/'
const KNOWN_KEY = 'notices/known'
const MAX_RECORD_BYTES = 1024
const MAX_KNOWN_BYTES = 4 * 1024 * 1024

function encodeNotice({ kind, subject, by, since, lastAt, count, endedAt, isDismissed }: KeptNotice): Uint8Array {
  return encodeCbor({
    ...{ v: 1, kind, since, lastAt, count, isDismissed },
    ...(subject === undefined ? {} : { subject }),
    ...(by === undefined ? {} : { by }),
    ...(endedAt === undefined ? {} : { endedAt }),
  })
}

const deviceId = v.pipe(v.string(), v.check(isDeviceId, 'no device id'))
const NOTICE = v.strictObject({
  v: v.literal(1),
  kind: v.picklist(Object.keys(NOTICE_KINDS) as NoticeKind[]),
  subject: v.optional(deviceId),
  by: v.optional(deviceId),
  since: wholeNumber,
  lastAt: wholeNumber,
  count: wholeNumber,
  endedAt: v.optional(wholeNumber),
  isDismissed: v.boolean(),
})
const KNOWN = v.strictObject({
  v: v.literal(1),
  group: v.string(),
  devices: v.array(v.strictTuple([deviceId, v.picklist(['admin', 'member']), v.boolean()])),
})
