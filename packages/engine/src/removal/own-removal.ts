/**
 * This device's own end in a group: it was removed, and learned it from the log or from a member that showed it the entry. From then on it
 * dials nobody but to say that it heard; what it holds stays readable, or is erased, as its policy says. Erasing takes the keys first, says
 * so with a signature while the device's own key is still in memory, then takes the files.
 */
import {
  createSubject,
  decodeCbor,
  decodeEntry,
  encodeCbor,
  bytesOf,
  bytesUpTo,
  hexId,
  idBytes,
  proveMembership,
  signErasure,
  wholeNumber,
  MAX_ENTRY_BYTES,
  SECOND_MS,
  type DeviceId,
  type DeviceIdentity,
  type GroupId,
  type Observable,
  type SignedEntry,
} from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import * as v from 'valibot'
import type { Runtime } from '../runtime.ts'

/** What becomes of what a removed device holds of its group. */
export type OnRemoved = 'keep' | 'erase'

export interface OwnRemoval {
  readonly by: DeviceId
  /** Undefined for a recovery phrase, and for an admin that this device never heard of. */
  readonly byName: string | undefined
  /** Milliseconds since 1970 by the remover's clock. */
  readonly at: number
  /** Milliseconds since 1970 here. */
  readonly learnedAt: number
  /** A device of the group has heard from this one that it knows. */
  readonly isAcknowledged: boolean
  /** `keep`: everything is here and nothing new comes. `erasing`: its keys are gone. `erased`: so is the rest; Segue is closed. */
  readonly content: 'keep' | 'erasing' | 'erased'
}

export interface OwnRemovalWatch {
  readonly state: Observable<OwnRemoval | undefined>
  /** No device of the group is to be dialled any more. */
  isCutOff(): boolean
  /** For `proveMembership`: what this device answers when it is shown the entry. */
  onRemoved(entry: SignedEntry): Promise<Uint8Array | undefined>
  /** The answer was sent to this one. It counts only of one that stays, by what this device knows then. */
  acknowledged(by: DeviceId): Promise<void>
  /** Before this device leaves by its own will: what becomes then of what is here, whatever the policy. Undefined: it stays after all. */
  toLeave(content: OnRemoved | undefined): Promise<void>
  follow(runtime: Runtime): void
  close(): Promise<void>
}

interface Parts {
  readonly identity: DeviceIdentity
  readonly records: RecordStore
  readonly clock: Clock
  readonly logger: Logger
  readonly policy: OnRemoved
  readonly node: () => NetNode | undefined
  /** Which devices are dialled changed. */
  readonly onChanged: () => void
  /** From now on nothing that is on the disk can be opened. Durable when it resolves. */
  readonly eraseKeys: () => Promise<void>
  /** Closes everything and takes the files away. */
  readonly eraseRest: () => Promise<void>
}

export async function createOwnRemoval(parts: Parts): Promise<OwnRemovalWatch> {
  const { identity, records, clock, logger, policy, node } = parts
  const stored = decodeCbor(SHAPE, (await records.get(RECORD_KEY)) ?? new Uint8Array(0), MAX_RECORD_BYTES)
  let record: Known | undefined = stored.ok ? stored.value : undefined
  const said = decodeCbor(LEAVING, (await records.get(LEAVING_KEY)) ?? new Uint8Array(0), MAX_RECORD_BYTES)
  let leaving: v.InferOutput<typeof LEAVING> | undefined = said.ok ? said.value : undefined
  const state = createSubject<OwnRemoval | undefined>(undefined)
  const stopped = new AbortController()
  let current: Runtime | undefined
  let stopFollowing: () => void = () => undefined
  let telling: Promise<void> | undefined
  let keysGone: Promise<boolean> | undefined
  let isEnding = false
  /** In this run. */
  let toldTo: DeviceId | undefined

  const publish = (content: OwnRemoval['content'] = state.peek()?.content ?? 'keep'): void => {
    const entry = record && decodeEntry(record.entry)
    if (record === undefined || entry?.ok !== true) return state.set(undefined)
    const { author: by, time: at } = entry.value
    const { learnedAt, isAcknowledged } = record
    state.set({ by, byName: current?.group.device(by)?.name, at, learnedAt, isAcknowledged, content })
  }
  const save = async (next: Known | undefined): Promise<void> => {
    record = next
    publish()
    parts.onChanged()
    await records.write(new Map([[RECORD_KEY, next && encodeCbor({ v: 1, ...next })]]))
  }
  /** Of the group that this device is in now; it may have left another meanwhile. */
  const isOurs = (entry: SignedEntry): boolean => entry.group === current?.group.id
  /** Whoever leaves by its own will keeps what it has unless it said otherwise: it may be on its way into another group, with all of it. */
  const isToErase = (): boolean => {
    const known = record && decodeEntry(record.entry)
    if (known?.ok !== true) return false
    if (leaving !== undefined && hexId<GroupId>(leaving.group) === known.value.group) return leaving.erase
    return policy === 'erase' && known.value.author !== identity.id
  }
  const learn = async (entry: SignedEntry): Promise<void> => {
    if (record !== undefined) return
    await save({ entry: entry.bytes, learnedAt: Math.max(0, Math.trunc(clock.now())), isAcknowledged: false })
  }

  /** Whether they are gone. */
  const takeKeys = (): Promise<boolean> => {
    return (keysGone ??= parts.eraseKeys().then(
      () => {
        publish('erasing')
        return true
      },
      (error: unknown) => {
        logger.error('not-erased', { error: String(error) })
        keysGone = undefined // tried again the next time
        return false
      },
    ))
  }
  const onRemoved = async (entry: SignedEntry): Promise<Uint8Array | undefined> => {
    if (!isOurs(entry)) return undefined
    await learn(entry)
    const erased = isToErase() && (await takeKeys())
    return signErasure({ group: entry.group, removal: entry.id, erased, time: Math.max(0, Math.trunc(clock.now())) }, identity)
  }
  const acknowledged = async (by: DeviceId): Promise<void> => {
    if (record === undefined || current?.group.isActive(by) !== true) return
    toldTo = by
    if (!record.isAcknowledged) await save({ ...record, isAcknowledged: true })
    if (isToErase()) end()
  }
  /** Not awaited by whoever is to be closed by it. */
  const end = (): void => {
    if (isEnding) return
    isEnding = true
    const ending = async (): Promise<void> => {
      if (!(await takeKeys())) {
        isEnding = false
        return
      }
      await parts.eraseRest()
      publish('erased')
    }
    ending().catch((error: unknown) => logger.error('not-all-erased', { error: String(error) })) // the next opening ends it
  }

  const isAcknowledged = (): boolean => record === undefined || record.isAcknowledged
  /** Goes to one member after the other until one has heard. With keys to erase it does not wait for that for long. */
  const tell = async (runtime: Runtime): Promise<void> => {
    const patience = AbortSignal.any([stopped.signal, abortAfter(clock, isToErase() ? ERASE_PATIENCE_MS : TELL_PATIENCE_MS)])
    if (isToErase()) await takeKeys()
    while (!patience.aborted && !isAcknowledged()) {
      for (const { id } of runtime.group.state.peek().devices.filter(device => device.active)) {
        if (isAcknowledged()) break
        await tellOne(runtime, id, patience).catch((error: unknown) => logger.info('removal-not-acknowledged', { error: String(error) }))
      }
      if (!isAcknowledged()) await clock.sleep(TELL_PAUSE_MS, { signal: patience }).catch(() => undefined)
    }
    if (isToErase() && !stopped.signal.aborted) end()
  }
  const tellOne = async (runtime: Runtime, device: DeviceId, signal: AbortSignal): Promise<void> => {
    const net = node()
    if (net === undefined) return
    const link = await net.group.dial({ device }, { signal })
    try {
      const proven = await proveMembership(link, runtime.group, { signal, onRemoved })
      if (!proven.ok && proven.error === 'DEVICE_REMOVED') await acknowledged(device)
    } finally {
      await link.close()
    }
  }

  const onGroup = (runtime: Runtime): void => {
    const { group } = runtime
    const removal = group.removalOf(identity.id)
    const known = record && decodeEntry(record.entry)
    if (removal === undefined) {
      // Somebody of a higher rank had removed the remover: it goes on as if nothing had been.
      const isVoid = known?.ok === true && group.entry(known.value.id) !== undefined
      if (isVoid && keysGone === undefined) {
        save(undefined).catch((error: unknown) => logger.warn('removal-not-taken-back', { error: String(error) }))
      } else if (isToErase()) telling ??= tell(runtime)
      return
    }
    const entry = group.entry(removal.entry)
    if (entry === undefined) return
    learn(entry)
      .then(async () => {
        if (record?.isAcknowledged === true && toldTo !== undefined && !group.isActive(toldTo) && !isToErase()) {
          toldTo = undefined // it is out as well: others may not have heard what this device has
          telling = undefined
          await save({ ...record, isAcknowledged: false })
        }
        // Who left by its own will goes on dialling until somebody has heard; the answer comes with the proof.
        if (removal.by === identity.id && record?.isAcknowledged === false) return
        telling ??= record?.isAcknowledged === true && !isToErase() ? Promise.resolve() : tell(runtime)
        return telling
      })
      .catch((error: unknown) => logger.warn('own-removal-not-kept', { error: String(error) }))
  }

  publish()
  return {
    state,
    isCutOff() {
      const known = record && decodeEntry(record.entry)
      if (record === undefined || known?.ok !== true) return false
      return record.isAcknowledged || known.value.author !== identity.id
    },
    onRemoved,
    acknowledged,
    async toLeave(content) {
      const group = content === undefined ? undefined : current?.group.id
      leaving = group && { v: 1, group: idBytes(group), erase: content === 'erase' }
      await records.write(new Map([[LEAVING_KEY, leaving && encodeCbor(leaving)]]))
    },
    follow(runtime) {
      stopFollowing()
      current = runtime
      telling = undefined
      const known = record && decodeEntry(record.entry)
      // It joined another group, as it was: what was said in the one before is of no interest.
      if (known?.ok === true && !isOurs(known.value)) {
        save(undefined).catch((error: unknown) => logger.warn('removal-not-forgotten', { error: String(error) }))
      }
      publish()
      stopFollowing = runtime.group.state.subscribe(() => onGroup(runtime))
      onGroup(runtime)
    },
    async close() {
      stopFollowing()
      stopped.abort()
      await telling
    },
  }
}

type Known = Omit<v.InferOutput<typeof SHAPE>, 'v'>

const RECORD_KEY = 'device/removed'
const LEAVING_KEY = 'device/leaving'
const LEAVING = v.object({ v: v.literal(1), group: bytesOf(32), erase: v.boolean() })
const MAX_RECORD_BYTES: number = 2 * MAX_ENTRY_BYTES
const SHAPE = v.object({ v: v.literal(1), entry: bytesUpTo(MAX_ENTRY_BYTES), learnedAt: wholeNumber, isAcknowledged: v.boolean() })
/** A device that stays readable has time to say that it heard; it tries again at its next start. */
const TELL_PATIENCE_MS: number = 60 * SECOND_MS
const ERASE_PATIENCE_MS: number = 10 * SECOND_MS
const TELL_PAUSE_MS: number = 2 * SECOND_MS

function abortAfter(clock: Clock, ms: number): AbortSignal {
  const late = new AbortController()
  clock.after(ms, () => late.abort())
  return late.signal
}
