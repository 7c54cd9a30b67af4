/** Who may let devices in and remove them. */
import type { DeviceStatus, Segue } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { deviceNamed } from './find.ts'
import { confirmation } from './lock.ts'

export const ROLE_COMMANDS: readonly DaemonCommand[] = [
  /** Whom a name means, and what the person is asked for before something is done to it. */
  defineCommand('devices.find', v.strictObject({ device: v.string() }), async ({ segue }, { device }) => {
    const { id, name, role, isThisDevice } = findThis(segue, device)
    return { device: { id, name, role, isThisDevice }, asks: segue.person.asks }
  }),

  defineCommand(
    'devices.promote',
    v.strictObject({ device: v.string(), confirmation }),
    async ({ segue }, { device, confirmation: given }) => {
      const { id, name } = findThis(segue, device)
      await segue.devices.promote(id, given)
      return { device: { id, name, role: 'admin' } }
    },
  ),

  defineCommand('devices.demote', v.strictObject({ device: v.string() }), async ({ segue }, { device }) => {
    const { id, name } = findThis(segue, device)
    await segue.devices.demote(id)
    return { device: { id, name, role: 'member' } }
  }),
]

/** This device as well. */
export function findThis(segue: Segue, wanted: string): DeviceStatus {
  return deviceNamed(segue.devices.peek(), wanted)
}
