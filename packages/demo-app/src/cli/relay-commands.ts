/** relay add, list, remove: relays that keep sealed copies for devices that are not awake together. */
import type { Command } from 'commander'
import { askLine } from './ask.ts'
import { action, type CliContext } from './context.ts'
import { shortId, table, type Table } from './output.ts'
import { behindText, problemText, type Behind, type NamedDevice } from './relay-texts.ts'

interface RelayRow {
  readonly id: string
  readonly addresses: readonly string[]
  readonly mailbox: string
  readonly state: string
  readonly sync: string
  readonly unconfirmed: number
  readonly members: string
  readonly hasGoneBack: boolean
  readonly isMoving?: boolean
  readonly behind?: Behind
  readonly problem?: string
}

export function addRelayCommands(program: Command): void {
  const relay = program.command('relay').description('a relay that you or a friend runs: it keeps sealed copies while devices sleep')
  relay
    .command('add')
    .description('use a relay, on all devices of your group')
    .argument('[invite]', 'what its operator gave you (segue-relay invite); - or a pipe: read from stdin')
    .action(action<[string | undefined]>(add))
  relay.command('list').description('the relays of your group, and how they are').action(action(list))
  relay
    .command('remove <relay>')
    .description('use it no more; what lies there stays sealed, and is its operator’s to erase')
    .option('--force', 'also when it may hold what is not kept on this device')
    .action(action<[string, { readonly force?: boolean }]>(remove))
}

async function add({ daemon, output, signal }: CliContext, given: string | undefined): Promise<void> {
  const client = await daemon()
  const invite = given === undefined || given === '-' ? ((await askLine('Invite:', { signal })) ?? '') : given
  output.progress('asking the relay…')
  const value = await client.call<{ readonly relay: RelayRow }>('relay.add', { invite }, { signal })
  output.data({ ...value }, () => [
    `The relay ${shortId(value.relay.id)} keeps a sealed copy for your devices now. They all go there by themselves.`,
  ])
}

async function list({ daemon, output }: CliContext): Promise<void> {
  const client = await daemon()
  const value = await client.call<{ readonly relays: readonly RelayRow[] }>('relay.list')
  const { devices } = await client.call<{ readonly devices: readonly NamedDevice[] }>('devices')
  output.data({ ...value }, () =>
    value.relays.length === 0
      ? 'No relay. Devices meet where they can reach each other; segue relay add INVITE uses one.'
      : withLines(
          table([
            ['ID', 'STATE', 'SYNC', 'LETS IN', 'ADDRESS'],
            ...value.relays.map(relay => [
              shortId(relay.id),
              stateText(relay),
              syncText(relay),
              membersText(relay),
              relay.addresses[0] ?? '',
            ]),
          ]),
          value.relays.flatMap(relay => problemText(relay) ?? behindText(relay, devices, Date.now()) ?? []),
        ),
  )
}

function withLines({ heading, rows }: Table, lines: readonly string[]): Table {
  return { heading, rows: [...rows, ...lines] }
}

/** That it does not serve the group any more is not that it is away. */
function stateText({ state, problem }: RelayRow): string {
  return problem === 'RELAY_REVOKED' ? 'revoked' : state
}

function syncText({ sync, unconfirmed, hasGoneBack, isMoving, problem }: RelayRow): string {
  if (problem === 'RELAY_REVOKED') return unconfirmed > 0 ? `${unconfirmed} not there` : 'ended'
  if (problem === 'RELAY_QUOTA') return `full, ${unconfirmed} to go`
  const state = sync === 'catching-up' || unconfirmed > 0 ? `${unconfirmed} to go` : sync
  if (problem === 'RELAY_KEY_LOST') return `${state}, to be added again`
  if (isMoving === true) return `${state}, moving to a new mailbox`
  return hasGoneBack ? `${state}, had lost some` : state
}

function membersText({ members, problem }: RelayRow): string {
  if (members === 'current') return 'your group'
  if (problem === 'RELAY_REVOKED') return 'nobody of your group'
  const why = problem === undefined || problem === 'RELAY_QUOTA' ? '' : ` (${problem})`
  return members === 'behind' ? `not yet all${why}` : `unknown${why}`
}

async function remove(
  { daemon, output, signal }: CliContext,
  relay: string,
  { force = false }: { readonly force?: boolean },
): Promise<void> {
  const value = await (await daemon()).call<{ readonly id: string }>('relay.remove', { relay, force }, { signal })
  output.data({ ...value }, () => `${shortId(value.id)} is not used any more, on any device of your group.`)
}
