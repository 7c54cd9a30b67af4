/** devices remove, devices leave, devices show: taking a device out of the group, and who knows of it. */
import { isSegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { UsageError } from '../client/daemon-client.ts'
import { askPerson, CONFIRM_HELP, CONFIRM_OPTION, type Asked } from './confirm.ts'
import { action, type CliContext } from './context.ts'
import { ago, shortId, table } from './output.ts'

export function addRemovalCommands(devices: Command): void {
  devices
    .command('remove <device>')
    .description('take it out of the group, for good: a lost phone, a sold laptop')
    .option(...CONFIRM_OPTION)
    .option('--no-wait', 'do not wait until the devices and relays that are linked now know')
    .addHelpText('after', CONFIRM_HELP)
    .action(action<[string, { readonly confirm?: string; readonly wait: boolean }]>(remove))
  devices
    .command('leave')
    .description('take this device out of the group, for good: before it is sold')
    .option('--erase', 'then erase what is here of the group')
    .option(...CONFIRM_OPTION)
    .addHelpText('after', `\nA device that is no admin is taken out when an admin's device hears of it, over a relay too.${CONFIRM_HELP}`)
    .action(action<[{ readonly erase?: boolean; readonly confirm?: string }]>(leave))
  devices.command('show <device>').description('one device; of a removed one, who knows of it').action(action<[string]>(show))
}

export interface RemovedRow {
  readonly id: string
  readonly name: string
  readonly by: { readonly id: string; readonly name?: string }
  readonly at: number
  readonly cutOffAt: number
  readonly devices: readonly { readonly id: string; readonly name: string; readonly isThisDevice: boolean; readonly knowsAt?: number }[]
  readonly relays: readonly { readonly id: string; readonly knowsAt?: number }[]
  readonly toldAt?: number
  readonly erasure?: { readonly erased: boolean; readonly at: number; readonly heardAt: number; readonly receipt: string }
  readonly finishedAt?: number
}

interface DeviceRow {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly state: string
}

const WAIT_MS = 20_000

async function remove(
  { daemon, output, signal }: CliContext,
  wanted: string,
  { confirm, wait }: { readonly confirm?: string; readonly wait: boolean },
): Promise<void> {
  const client = await daemon()
  const { device, asks } = await client.call<{
    readonly device: DeviceRow & { readonly isThisDevice: boolean }
    readonly asks: Asked['asks']
  }>('devices.find', { device: wanted })
  if (device.isThisDevice) throw new UsageError('That is this device. To take it out of its group: segue devices leave')
  const what = `“${device.name}” (${shortId(device.id)}) will be cut off for good: it keeps what it has and gets nothing new. The machine can come back with segue pair, as a new device.`
  const confirmation = await askPerson(output, { asks, name: device.name, what, given: confirm })
  await client.call('devices.remove', { device: device.id, confirmation })
  output.note(`Removed. Telling your other devices…`)
  const late = AbortSignal.timeout(wait ? WAIT_MS : 0)
  let last: RemovedRow | undefined
  const onEvent = (event: Readonly<Record<string, unknown>>): void => {
    last = event['removal'] as RemovedRow
    output.progress(countText(last))
  }
  try {
    last = (
      await client.call<{ readonly removal: RemovedRow }>(
        'devices.removal',
        { device: device.id },
        { signal: AbortSignal.any([signal, late]), onEvent },
      )
    ).removal
  } catch (error) {
    if (!late.aborted && !isSegueError(error, 'CANCELLED')) throw error // it is removed, whoever knows
  }
  const removal = last ?? (await removalOf(client, device.id))
  output.data({ device: { id: device.id, name: device.name }, removal }, () => [
    `“${device.name}” is removed.`,
    ...(removal === undefined ? [] : [...whoKnowsLines(removal)]),
  ])
}

async function leave(
  { daemon, output, signal }: CliContext,
  { erase = false, confirm }: { readonly erase?: boolean; readonly confirm?: string },
): Promise<void> {
  const client = await daemon()
  const { device: self } = await client.call<{ readonly device: Pick<DeviceRow, 'id' | 'name'> }>('status')
  // By its id: another device may have the same name.
  const { asks } = await client.call<{ readonly asks: Asked['asks'] }>('devices.find', { device: self.id })
  const rest = erase ? 'what is here of the group is erased, also what no other device has' : 'what is here stays readable'
  const what = `This device, “${self.name}”, leaves its group for good: it gets nothing new, and ${rest}. The machine can come back with segue pair, as a new device.`
  const confirmation = await askPerson(output, { asks, name: self.name, what, given: confirm })
  const late = AbortSignal.timeout(WAIT_MS)
  let isOut = true
  try {
    await client.call('devices.leave', { erase, confirmation }, { signal: AbortSignal.any([signal, late]) })
  } catch (error) {
    if (!late.aborted) throw error
    isOut = false
  }
  output.data({ isOut, erase }, () => [
    isOut
      ? 'This device has left its group.'
      : 'No admin’s device has heard of it yet. Keep this device on until one has: segue status says so.',
  ])
}

async function removalOf(client: Awaited<ReturnType<CliContext['daemon']>>, id: string): Promise<RemovedRow | undefined> {
  return (await client.call<{ readonly removals: readonly RemovedRow[] }>('devices.show', { device: id })).removals[0]
}

async function show({ daemon, output }: CliContext, wanted: string): Promise<void> {
  const found = await (
    await daemon()
  ).call<{ readonly device?: DeviceRow; readonly removals: readonly RemovedRow[] }>('devices.show', {
    device: wanted,
  })
  output.data({ ...found }, () => [
    ...(found.device === undefined ? [] : [`${found.device.name}  ${found.device.id}`, `  ${found.device.role}, ${found.device.state}`]),
    ...found.removals.flatMap(removalLines),
  ])
}

/** For `segue devices --all`. */
export function removedTable(removed: readonly RemovedRow[]): ReturnType<typeof table> {
  return table([
    ['REMOVED', 'ID', 'BY', 'WHEN', 'KNOWN TO', 'ITS CONTENT'],
    ...removed.map(each => [
      each.name,
      shortId(each.id),
      byText(each),
      ago(Date.now() - each.at),
      each.finishedAt === undefined ? countText(each) : 'all',
      each.erasure === undefined ? 'not heard from' : each.erasure.erased ? 'erased, it says' : 'kept',
    ]),
  ])
}

function removalLines(removal: RemovedRow): readonly string[] {
  const { name, id, at, cutOffAt, toldAt, erasure } = removal
  const heard = erasure?.heardAt ?? toldAt
  return [
    `${name}  ${id}`,
    `  removed by ${byText(removal)} ${ago(Date.now() - at)}`,
    ...whoKnowsLines(removal),
    `  cut off    here ${ago(Date.now() - cutOffAt)}${removal.finishedAt === undefined ? '' : `, everywhere ${ago(Date.now() - removal.finishedAt)}`}`,
    `  told why   ${heard === undefined ? 'not yet: when it comes to one of you' : ago(Date.now() - heard)}`,
    `  erased     ${erasure === undefined ? 'not known' : erasure.erased ? `it signed that it did, ${ago(Date.now() - erasure.heardAt)}` : 'no: it keeps what it had, it signed'}`,
  ]
}

function whoKnowsLines({ devices, relays }: RemovedRow): readonly string[] {
  const when = (knowsAt: number | undefined): string => (knowsAt === undefined ? 'not yet' : `knows, ${ago(Date.now() - knowsAt)}`)
  return [
    ...devices.map(each => `  ${each.name.padEnd(20)} ${each.isThisDevice ? 'knows: this device' : when(each.knowsAt)}`),
    ...relays.map(each => `  ${`relay ${shortId(each.id)}`.padEnd(20)} ${when(each.knowsAt)}`),
  ]
}

function countText({ devices, relays }: RemovedRow): string {
  const all = [...devices, ...relays]
  return `${all.filter(({ knowsAt }) => knowsAt !== undefined).length} of ${all.length}`
}

function byText({ id, by }: RemovedRow): string {
  return by.id === id ? 'itself' : (by.name ?? 'the recovery phrase')
}
