/** Who may let devices in and remove them: promoting and demoting, and what a group with one admin is told. */
import { isSegueError, SegueError, type DeviceId, type GroupRole, type GroupState, type Observable } from '@segue/core'
import type { Clock } from '@segue/core/ports'
import type { Confirmation, PersonCheck } from './person.ts'
import type { RemovingDevices } from './removal/remove.ts'
import type { Runtime } from './runtime.ts'
import type { DeviceStatus } from './segue.ts'

export interface Devices extends Observable<readonly DeviceStatus[]>, RemovingDevices {
  /**
   * Makes a device an admin: it may then let others in, remove and promote. Asks for the person again; what is typed is its name. Rejects
   * with CONFIRMATION_NEEDED, CONFIRMATION_WRONG, NEEDS_ADMIN, NOT_A_MEMBER.
   */
  promote(device: DeviceId, confirmation?: Confirmation): Promise<void>
  /** Makes an admin a member again, this device as well. Rejects with LAST_ADMIN, NEEDS_ADMIN, NOT_A_MEMBER. */
  demote(device: DeviceId): Promise<void>
}

/** `single-admin`: one device alone may let others in or remove them. If it is lost nobody can: promote another, or make a recovery phrase. */
export type Advice = 'single-admin'

export function adviceOn({ devices, recovery }: Pick<GroupState, 'devices' | 'recovery'>): readonly Advice[] {
  const active = devices.filter(device => device.active)
  const admins = active.filter(device => device.role === 'admin')
  return active.length > 1 && admins.length === 1 && recovery === undefined ? ['single-admin'] : []
}

interface Parts {
  readonly clock: Clock
  readonly person: PersonCheck
  readonly runtime: () => Pick<Runtime, 'group' | 'keeper'>
}

export function createRoles({ clock, person, runtime }: Parts): Pick<Devices, 'promote' | 'demote'> {
  const setRole = async (id: DeviceId, role: GroupRole, confirmation?: Confirmation): Promise<void> => {
    const device = runtime().group.device(id)
    if (device?.active !== true) throw new SegueError('NOT_A_MEMBER')
    if (device.role === role) return
    if (role === 'admin') await person.confirm(confirmation, [device.name, id])
    const { group, keeper } = runtime() // the person took their time
    try {
      await keeper.keep(group.setRole(id, role, clock.now()))
    } catch (error) {
      throw plainly(error)
    }
  }
  return {
    promote: (device, confirmation) => setRole(device, 'admin', confirmation),
    demote: device => setRole(device, 'member'),
  }
}

/** The rules that a person can break, by their own codes. */
export function plainly(error: unknown): unknown {
  if (!isSegueError(error, 'GROUP_ENTRY_REFUSED')) return error
  switch (error.details['rule']) {
    case 'leavesAnAdmin':
      return new SegueError('LAST_ADMIN')
    case 'needsAdmin':
      return new SegueError('NEEDS_ADMIN')
    case 'targetIsMember':
      return new SegueError('NOT_A_MEMBER')
    default:
      return error
  }
}
