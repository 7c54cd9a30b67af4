/** The group's relays. */
import { SegueError, type RelayStatus, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type DaemonCommand } from '../command.ts'

export const RELAY_COMMANDS: readonly DaemonCommand[] = [
  defineCommand('relay.add', v.strictObject({ invite: v.pipe(v.string(), v.maxLength(16_384)) }), async ({ segue }, { invite }) => ({
    relay: await segue.relays.add(invite),
  })),

  defineCommand('relay.list', v.strictObject({}), async ({ segue }) => ({ relays: segue.relays.list.peek() })),

  defineCommand(
    'relay.remove',
    v.strictObject({ relay: v.string(), force: v.optional(v.boolean(), false) }),
    async ({ segue }, { relay, force }) => {
      const { id } = findRelay(segue, relay)
      await segue.relays.remove(id, { force })
      return { id }
    },
  ),

  /** Resolves when every relay holds what this device holds, and lets in exactly the group. */
  defineCommand('relay.in-sync', v.strictObject({}), async ({ segue, signal }) => {
    await segue.relays.list.when(
      relays => relays.length > 0 && relays.every(relay => holdsEverything(relay) && relay.members === 'current'),
      { signal },
    )
    return {}
  }),
]

export function holdsEverything({ sync, unconfirmed }: RelayStatus): boolean {
  return sync === 'in-sync' && unconfirmed === 0
}

/** By its id, or the end of it as `segue relay list` shows it. Throws RELAY_UNKNOWN, WrongRequest when more than one is meant. */
function findRelay(segue: Segue, wanted: string): RelayStatus {
  const end = wanted.replace(/^…/, '')
  const found = segue.relays.list.peek().filter(relay => relay.id.endsWith(end))
  if (end === '' || found[0] === undefined) throw new SegueError('RELAY_UNKNOWN')
  if (found.length > 1) throw new WrongRequest(`${found.length} relays end like that. Say more of the id: segue relay list`)
  return found[0]
}
