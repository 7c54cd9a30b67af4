/**
 * Writes backups, or restores one, until it is killed: `node recovery-process.mjs backup DIRECTORY FILE`, or
 * `node recovery-process.mjs restore DIRECTORY FILE WORDS`, on the built engine. Says over IPC where it is.
 */
import { keyFile, openSegue, restoreSegue } from '@segue/engine'

const [task, directory = '', file = '', words = ''] = process.argv.slice(2)
const unlock = keyFile(`${directory}.key`)
const say = at => void process.send?.(at)
process.on('disconnect', () => process.exit(0))

if (task === 'backup') {
  const network = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] }
  const segue = await openSegue({ directory, device: { name: 'laptop' }, unlock, network })
  for (;;) {
    say('begins')
    await segue.backup.write(file, { onProgress: () => say('goes on') })
    say('is through')
  }
} else {
  await restoreSegue({
    ...{ directory, unlock, words },
    device: { name: 'attic' },
    from: { file },
    onProgress: () => say('goes on'),
    async onNewPhrase() {
      say('shows')
      await new Promise(resolve => setImmediate(resolve))
    },
  })
  say('is through')
}
