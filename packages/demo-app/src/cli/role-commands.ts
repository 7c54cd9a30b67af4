/** devices promote, devices demote: who may let devices in and remove them. */
import type { Command } from 'commander'
import { askPerson, CONFIRM_HELP, CONFIRM_OPTION, type Asked } from './confirm.ts'
import { action, type CliContext } from './context.ts'

export function addRoleCommands(devices: Command): void {
  devices
    .command('promote <device>')
    .description('make it an admin: it may let devices in, remove them, and promote')
    .option(...CONFIRM_OPTION)
    .addHelpText('after', CONFIRM_HELP)
    .action(action<[string, { readonly confirm?: string }]>(promote))
  devices.command('demote <device>').description('make it a member again; the last admin stays one').action(action<[string]>(demote))
}

interface Found {
  readonly device: { readonly id: string; readonly name: string; readonly role: string }
  readonly asks: Asked['asks']
}

async function promote({ daemon, output }: CliContext, wanted: string, { confirm }: { readonly confirm?: string }): Promise<void> {
  const client = await daemon()
  const { device, asks } = await client.call<Found>('devices.find', { device: wanted })
  if (device.role !== 'admin') {
    const what = `“${device.name}” becomes an admin: it may let devices in and remove them, this one as well.`
    const confirmation = await askPerson(output, { asks, name: device.name, what, given: confirm })
    await client.call('devices.promote', { device: device.id, confirmation })
  }
  output.data({ device: { ...device, role: 'admin' } }, () => `“${device.name}” is an admin now; your other devices are told.`)
}

async function demote({ daemon, output }: CliContext, wanted: string): Promise<void> {
  const { device } = await (await daemon()).call<Found>('devices.demote', { device: wanted })
  output.data({ device }, () => `“${device.name}” is a member now; your other devices are told.`)
}
