/** Locking this device, unlocking it, and how its keys are kept. */
import { rm } from 'node:fs/promises'
import type { Confirmation, SlotKind } from '@segue/engine'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type CommandContext, type DaemonCommand } from '../command.ts'
import { keyFilePath } from '../../paths.ts'
import { opening, openingOf, unlockOf, type Opening } from '../unlocking.ts'

/** What the person answered when asked again; see the engine's `person`. */
export const confirmation: v.GenericSchema<unknown, Confirmation | undefined> = v.optional(
  v.union([v.strictObject({ passphrase: v.string() }), v.strictObject({ typed: v.string() })]),
)

export const LOCK_COMMANDS: readonly DaemonCommand[] = [
  /** This process ends with the answer, and one that has no keys takes its place. */
  defineCommand('lock', v.strictObject({}), async ({ daemon, stop }) => {
    const wasOpen = daemon.device.state.peek().kind === 'open'
    await daemon.device.lock()
    if (wasOpen) stop()
    return { wasOpen, keys: await daemon.device.slots() }
  }),

  defineCommand('unlock', v.strictObject({ how: opening }), async ({ daemon }, { how }) => {
    const { device, paths } = daemon
    const wasLocked = device.state.peek().kind !== 'open'
    const segue = await device.unlock(unlockOf(how, paths))
    if (wasLocked) daemon.startNextWith({ unlock: how })
    await segue.sessions.whenListed()
    return { wasLocked }
  }),

  defineCommand(
    'auto-lock',
    v.strictObject({ minutes: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_080)) }),
    async ({ daemon }, { minutes }) => {
      daemon.startNextWith({ autoLockMinutes: minutes })
      return {}
    },
  ),

  defineCommand('person', v.strictObject({}), async ({ segue }) => ({ asks: segue.person.asks })),

  defineCommand('keys.list', v.strictObject({}), async ({ daemon }) => ({ keys: await daemon.device.slots() })),

  defineCommand('keys.add', v.strictObject({ how: opening, confirmation }), async (context, { how, confirmation: given }) => {
    await context.segue.keys.add(unlockOf(how, context.daemon.paths), given)
    return keysNow(context, how, given)
  }),

  defineCommand('keys.change', v.strictObject({ how: opening, confirmation }), async (context, { how, confirmation: given }) => {
    if (how.kind === 'key-file')
      throw new WrongRequest('A key file is not changed. Add another way, remove the key file, and add it again.')
    await context.segue.keys.change(unlockOf(how, context.daemon.paths), given)
    return keysNow(context, how, given)
  }),

  defineCommand(
    'keys.remove',
    v.strictObject({ kind: v.picklist(['keychain', 'passphrase', 'keychain+passphrase', 'key-file']), confirmation }),
    async (context, { kind, confirmation: given }) => {
      await context.segue.keys.remove(kind, given)
      if (kind === 'key-file') await rm(keyFilePath(context.daemon.paths), { force: true }) // it opens nothing any more
      return keysNow(context, undefined, given)
    },
  ),
]

/** After a change: the next daemon, should this one die, starts with what opens the store then. */
async function keysNow(
  { daemon, segue }: CommandContext,
  how: Opening | undefined,
  given: Confirmation | undefined,
): Promise<{ readonly keys: readonly SlotKind[] }> {
  const keys = segue.keys.slots.peek()
  const known =
    how !== undefined && 'passphrase' in how ? how.passphrase : given !== undefined && 'passphrase' in given ? given.passphrase : undefined
  daemon.startNextWith({ unlock: openingOf(keys, known) ?? { kind: 'locked' } })
  return { keys }
}
