/** session delete --here, session fetch: on this device only, and back. */
import type { Command } from 'commander'
import { askLine } from './ask.ts'
import { action, type CliContext } from './context.ts'
import { ago } from './output.ts'

export interface HereOptions {
  readonly confirm?: string
  readonly much?: boolean
  readonly force?: boolean
}

export interface NotHereRow {
  readonly session?: string
  readonly document?: string
  readonly title: string
  readonly at: number
  readonly state: 'not-here' | 'coming-back'
  readonly documents: number
}

interface Plan {
  readonly title: string
  readonly documents: number
  readonly count: number
  readonly total: number
  readonly isLarge: boolean
}

export function addFetchCommand(session: Command): void {
  session
    .command('fetch <session>')
    .description('bring back a session that was deleted on this device only, and wait until all of it is here')
    .addHelpText('after', '\nIt goes on coming when you end the wait. A handoff to this device brings it back as well.')
    .action(action<[string]>(fetch))
}

export async function removeHere(
  { daemon, output, signal }: CliContext,
  target: { readonly session: string; readonly document?: string },
  { confirm, much = false, force = false }: HereOptions,
): Promise<void> {
  const client = await daemon()
  const plan = await client.call<Plan>('deletion.plan', { ...target, here: true }, { signal })
  output.warning(`“${plan.title}” will be deleted on this device only: ${plan.documents} document(s). Other devices and relays keep it.`)
  if (plan.isLarge) output.warning(`That is ${plan.count} of ${plan.total}: more than a fifth of everything.`)
  const isMuch =
    much || (plan.isLarge && confirm === undefined && /^yes$/i.test((await askLine('More than a fifth of everything: type yes:')) ?? ''))
  if (force) output.warning('Nobody has to have it: what is on no other device or relay is gone for good then.')
  const typed = force ? (confirm ?? (await askLine(`Typed confirmation: type its title, ${plan.title}:`))) : undefined
  const { notHere } = await client.call<{ readonly notHere: readonly NotHereRow[] }>(
    'deletion.here',
    { ...target, ...(typed === undefined ? {} : { typed }), much: isMuch, force },
    { signal },
  )
  output.data({ title: plan.title, notHere }, () => [
    `“${plan.title}” is not kept on this device any more.`,
    `  segue session fetch ${JSON.stringify(target.session)} brings it back.`,
  ])
}

async function fetch({ daemon, output, signal }: CliContext, wanted: string): Promise<void> {
  const client = await daemon()
  output.progress('waiting for everything of the session…')
  const value = await client.call<{ readonly id: string; readonly title: string }>('session.fetch', { session: wanted }, { signal })
  output.data({ ...value }, () => `“${value.title}” is here.`)
}

export function notHereLines(rows: readonly NotHereRow[]): readonly string[] {
  if (rows.length === 0) return []
  return [
    'Not kept on this device:',
    ...rows.map(
      ({ title, documents, at, state }) =>
        `  ${title}, ${documents} document(s), ${state === 'coming-back' ? 'on its way back' : `deleted here ${ago(Date.now() - at)}`}`,
    ),
    'segue session fetch SESSION brings it back.',
  ]
}
