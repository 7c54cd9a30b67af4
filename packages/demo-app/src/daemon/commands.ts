/** Everything the daemon can be asked to do, and what of it a device that was removed from its group cannot. */
import { SegueError } from '@segue/engine'
import type { DaemonCommand } from './command.ts'
import { DELETION_COMMANDS } from './commands/deletions.ts'
import { DEVICE_COMMANDS } from './commands/device.ts'
import { DOCUMENT_COMMANDS } from './commands/documents.ts'
import { HANDOFF_COMMANDS } from './commands/handoffs.ts'
import { HISTORY_COMMANDS } from './commands/history.ts'
import { LATE_EDIT_COMMANDS } from './commands/late-edits.ts'
import { LOCK_COMMANDS } from './commands/lock.ts'
import { PAIRING_COMMANDS } from './commands/pairing.ts'
import { RECOVERY_COMMANDS } from './commands/recovery.ts'
import { RELAY_COMMANDS } from './commands/relays.ts'
import { REMOVAL_COMMANDS } from './commands/removals.ts'
import { ROLE_COMMANDS } from './commands/roles.ts'
import { SEEING_COMMANDS } from './commands/seeing.ts'
import { SESSION_COMMANDS } from './commands/sessions.ts'
import { WORKSPACE_COMMANDS } from './commands/workspace.ts'

/** These reach the group. Without being told so, a person hears of queues and rules that say nothing to somebody who is out. */
const FOR_MEMBERS: readonly string[] = [
  'rename',
  'devices.find',
  'devices.remove',
  'devices.leave',
  'devices.promote',
  'devices.demote',
  'device.in-sync',
  'pair.new',
  'handoff.to',
  'handoff.take',
  'relay.add',
  'relay.remove',
  'relay.in-sync',
  'recovery.set',
]

const ALL: readonly DaemonCommand[] = [
  ...DEVICE_COMMANDS,
  ...LOCK_COMMANDS,
  ...ROLE_COMMANDS,
  ...REMOVAL_COMMANDS,
  ...PAIRING_COMMANDS,
  ...SESSION_COMMANDS,
  ...DOCUMENT_COMMANDS,
  ...DELETION_COMMANDS,
  ...WORKSPACE_COMMANDS,
  ...HANDOFF_COMMANDS,
  ...HISTORY_COMMANDS,
  ...LATE_EDIT_COMMANDS,
  ...RELAY_COMMANDS,
  ...RECOVERY_COMMANDS,
  ...SEEING_COMMANDS,
]

export const COMMANDS: readonly DaemonCommand[] = ALL.map(command => (FOR_MEMBERS.includes(command.name) ? forMembers(command) : command))

function forMembers({ run, ...command }: DaemonCommand): DaemonCommand {
  return {
    ...command,
    async run(context, params) {
      if (context.segue.removal.peek() !== undefined) throw new SegueError('DEVICE_REMOVED')
      return run(context, params)
    },
  }
}
