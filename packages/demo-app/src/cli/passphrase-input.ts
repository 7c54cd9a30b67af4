/** Passphrases from a person, a file or a pipe; never from argv. */
import { readFile } from 'node:fs/promises'
import { UsageError } from '../client/daemon-client.ts'
import { askSecret, isInteractive } from './ask.ts'

/** Of this device. Read from the file named by SEGUE_PASSPHRASE_FILE where there is one. */
export async function readPassphrase(isKnown: boolean): Promise<string> {
  const file = process.env['SEGUE_PASSPHRASE_FILE']
  if (file !== undefined) {
    const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`SEGUE_PASSPHRASE_FILE: ${error.message}`)
    })
    const passphrase = kept.replace(/\r?\n$/, '')
    if (passphrase === '') throw new UsageError('The file named by SEGUE_PASSPHRASE_FILE is empty: its content is the passphrase.')
    return passphrase
  }
  return isKnown ? known(await askSecret('Passphrase of this device:')) : choosePassphrase('Choose a passphrase for this device:')
}

/** A new one, asked for twice where a person types. */
export async function choosePassphrase(question: string): Promise<string> {
  const passphrase = checked(await askSecret(question))
  if (isInteractive() && passphrase !== (await askSecret('The same again:'))) throw new UsageError('Those were two different passphrases.')
  return passphrase
}

function checked(passphrase: string | undefined): string {
  if (passphrase !== undefined && passphrase !== '') return passphrase
  throw new UsageError('An empty passphrase protects nothing. Type one, or choose --keys keychain or --keys key-file.')
}

function known(passphrase: string | undefined): string {
  if (passphrase !== undefined && passphrase !== '') return passphrase
  throw new UsageError(
    'No passphrase was given. Type the one of this device, or name a file that holds it: SEGUE_PASSPHRASE_FILE. Nothing was changed.',
  )
}
