/** recovery create: new words, shown once and asked back. */
import { makeRecoveryPhrase } from '@segue/engine'
import { UsageError } from '../client/daemon-client.ts'
import { askPassphrase } from './confirm.ts'
import type { CliContext } from './context.ts'
import { ago } from './output.ts'
import { askForPhrase, showPhrase } from './phrase-dialogue.ts'

/** What the daemon says of the phrase there is. */
export interface ShownPhrase {
  readonly relays: readonly string[]
  readonly isAdmin: boolean
  readonly phrase?: { readonly at: number; readonly byName?: string }
}

export async function createPhrase(context: CliContext): Promise<void> {
  const { daemon, output } = context
  const client = await daemon()
  const { isAdmin, phrase, relays } = await client.call<ShownPhrase>('recovery.show')
  if (!isAdmin && phrase === undefined)
    throw new UsageError('Only an admin’s device makes the first phrase. segue devices shows who is one.')
  if (phrase !== undefined) {
    output.note(`This takes the place of the phrase made ${ago(Date.now() - phrase.at)}. The old words then open old backups only.`)
  }
  const oldWords = isAdmin ? undefined : await askForPhrase(context, 'This device is no admin’s. The words that are to be replaced:')
  const confirmation = await askPassphrase(client)
  const { words, keys } = makeRecoveryPhrase()
  await showPhrase(context, words)
  await client.call('recovery.set', { signing: hex(keys.signing), sealing: hex(keys.sealing), oldWords, confirmation })
  output.data({ state: 'created', relays }, () => [
    'These words recover everything from now on, with a backup or with your relay.',
    ...relays.map(address => `Write down where your relay is, too: ${address}`),
    'Next: segue backup FILE, onto another disk.',
  ])
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
