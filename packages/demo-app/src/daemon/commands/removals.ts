/** Taking a device out of the group, and who knows of it. */
import { SegueError, type RemovalChecklist, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { findThis } from './roles.ts'
import { confirmation } from './lock.ts'

export const REMOVAL_COMMANDS: readonly DaemonCommand[] = [
  defineCommand(
    'devices.remove',
    v.strictObject({ device: v.string(), confirmation }),
    async ({ segue }, { device, confirmation: given }) => {
      const { id, name } = findThis(segue, device)
      await segue.devices.remove(id, given)
      return { device: { id, name } }
    },
  ),

  /** Ends when this device is out; whoever asked may stop waiting, and it leaves all the same. */
  defineCommand(
    'devices.leave',
    v.strictObject({ erase: v.boolean(), confirmation }),
    async ({ segue, signal }, { erase, confirmation: given }) => {
      await segue.devices.leave(given, { erase, signal })
      return {}
    },
  ),

  /** A device of the group, and each that was removed under that name or id. */
  defineCommand('devices.show', v.strictObject({ device: v.string() }), async ({ segue }, { device: wanted }) => {
    const removals = removalsOf(segue, wanted).map(shown)
    try {
      return { device: findThis(segue, wanted), removals }
    } catch (error) {
      if (removals.length === 0) throw error
      return { removals }
    }
  }),

  /** Emits the checklist at each change; ends when everybody who can be reached now knows, or whoever asked has waited enough. */
  defineCommand('devices.removal', v.strictObject({ device: v.string() }), async ({ segue, emit, signal }, { device }) => {
    const [removal] = removalsOf(segue, device)
    if (removal === undefined) throw new SegueError('NOT_A_MEMBER')
    const followed = segue.devices.removal(removal.id)
    const stop = followed.subscribe(now => (now === undefined ? undefined : emit({ type: 'removal', removal: shown(now) })))
    const isOver = (now: RemovalChecklist | undefined): boolean => now === undefined || knowAllLinked(segue, now)
    const gone = new AbortController() // a device that goes away is not waited for
    const stopLinks = segue.devices.subscribe(() => (isOver(followed.peek()) ? gone.abort() : undefined))
    try {
      await followed.when(isOver, { signal: AbortSignal.any([signal, gone.signal]) }).catch((error: unknown) => {
        if (!gone.signal.aborted) throw error
      })
    } finally {
      stop()
      stopLinks()
    }
    return { removal: shown(followed.peek() ?? removal) }
  }),
]

export function removedDevices(segue: Segue): readonly Readonly<Record<string, unknown>>[] {
  return segue.devices.removed.peek().map(shown)
}

/** The latest first: the same machine may have been removed more than once, under another key each time. */
function removalsOf(segue: Segue, wanted: string): readonly RemovalChecklist[] {
  const name = wanted.replace(/^…/, '')
  const all = segue.devices.removed.peek()
  const exact = all.filter(each => each.id === name || each.name === name)
  const found =
    exact.length > 0 ? exact : all.filter(each => name !== '' && (each.name.toLowerCase() === name.toLowerCase() || each.id.endsWith(name)))
  return found.toSorted((a, b) => b.cutOffAt - a.cutOffAt)
}

function knowAllLinked(segue: Segue, { devices, relays }: RemovalChecklist): boolean {
  const isLinked = (id: string): boolean =>
    segue.devices.peek().some(each => each.id === id && each.state === 'linked') ||
    segue.relays.list.peek().some(each => each.id === id && each.state === 'linked')
  return [...devices, ...relays].every(({ id, knowsAt }) => knowsAt !== undefined || !isLinked(id))
}

function shown(removal: RemovalChecklist): Readonly<Record<string, unknown>> {
  const { erasure, ...rest } = removal
  return { ...rest, ...(erasure && { erasure: { ...erasure, receipt: Buffer.from(erasure.receipt).toString('base64') } }) }
}
