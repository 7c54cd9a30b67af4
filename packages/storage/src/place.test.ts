/** Whose a store may be, and what others may do with it. */
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isSegueError, type SegueError } from '@segue/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { custom, keyFile, openStore, type Store } from './index.ts'

const isRoot = process.getuid?.() === 0
const STRANGER = 12_345

describe.skipIf(process.platform === 'win32')('rights (not run: Windows has none of these)', () => {
  test.each([
    ['.', 0o750, 700],
    ['.', 0o705, 700],
    ['vault', 0o640, 600],
    ['vault', 0o602, 600],
    ['format', 0o644, 600],
    ['level', 0o770, 700],
  ])('[L22] %s with mode %o is refused, nothing changes, and the command that is named mends it', async (name, mode, mended) => {
    const directory = await madeStore()
    const path = name === '.' ? directory : join(directory, name)
    await chmod(path, mode)
    const before = await readFile(join(directory, 'vault'), 'hex')
    const error = await refusal(directory)
    expect(error.message).toContain(path)
    expect(error.message).toContain('can be read or changed by other users')
    expect(error.details['mend']).toBe(`chmod ${mended} ${path}`)
    expect([(await stat(path)).mode & 0o777, await readFile(join(directory, 'vault'), 'hex')]).toEqual([mode, before])
    execFileSync('sh', ['-c', String(error.details['mend'])])
    await (await open(directory)).close()
  })

  test('[L22] a fresh directory that others have rights to is refused, and nothing is made in it', async () => {
    const directory = await scratch()
    await chmod(directory, 0o755)
    await refusal(directory)
    expect(await readdir(directory)).toEqual([])
  })

  test('[L22] a place with a blank and a quote in its name is mended by what is said, too', async () => {
    const directory = await madeStore("it's mine")
    await chmod(directory, 0o755)
    const error = await refusal(directory)
    execFileSync('sh', ['-c', String(error.details['mend'])])
    await (await open(directory)).close()
  })

  test('[L22] files of Level that a crash left with the modes of the umask are mended, not refused', async () => {
    const directory = await madeStore()
    const current = join(directory, 'level', 'CURRENT')
    await chmod(current, 0o644)
    await (await open(directory)).close()
    expect((await stat(current)).mode & 0o777).toBe(0o600)
  })

  test('[L22] a key file that others may read is refused unread', async () => {
    const directory = await scratch()
    const path = join(directory, 'key')
    await (await openStore({ directory: join(directory, 'store'), unlock: keyFile(path) })).close()
    await chmod(path, 0o604)
    await expect(openStore({ directory: join(directory, 'store'), unlock: keyFile(path) })).rejects.toSatisfy(
      error => isSegueError(error, 'STORE_NOT_PRIVATE') && error.details['mend'] === `chmod 600 ${path}`,
    )
  })

  test.skipIf(!isRoot).each([['.'], ['vault'], ['level'], ['level/CURRENT']])(
    '[L22] root opens nothing of another user: %s (not run: only root can make one)',
    async name => {
      const directory = await madeStore()
      await chown(join(directory, name), STRANGER, STRANGER)
      const error = await refusal(directory)
      expect(error.message).toMatch(/belongs to another user.*with: chown -R 0 /)
      execFileSync('sh', ['-c', String(error.details['mend'])])
      await (await open(directory)).close()
    },
  )

  test.skipIf(!isRoot)('[L22] a store that root made is refused to the user who is not root (not run: this is not root)', async () => {
    const directory = await madeStore()
    await chmod(join(directory, '..'), 0o755)
    expect(openAs(directory, { uid: STRANGER, umask: 0o022 })).toMatch(/STORE_NOT_PRIVATE.*belongs to another user.*sudo chown -R 12345 /)
  })

  test.each([0, 0o002, 0o277])('[L6] everything is private with umask %o', async umask => {
    const directory = join(await scratch(), 'new', 'deep', 'store')
    expect(openAs(directory, { umask })).toBe('open')
    for (const [path, mode] of [
      [join(directory, '..', '..'), 0o700],
      [join(directory, '..'), 0o700],
      [directory, 0o700],
      [join(directory, 'level'), 0o700],
      [join(directory, 'level', 'CURRENT'), 0o600],
      [join(directory, 'vault'), 0o600],
      [join(directory, 'format'), 0o600],
      [`${directory}.key`, 0o600],
    ] as const) {
      expect([path, (await stat(path)).mode & 0o777]).toEqual([path, mode])
    }
  })
})

/** In a process of its own: its user and umask are its own. Says `open`, or the error. */
function openAs(directory: string, { umask, uid }: { readonly umask: number; readonly uid?: number }): string {
  const fixture = fileURLToPath(new URL('../fixtures/bundle/opener.js', import.meta.url))
  return execFileSync(process.execPath, [fixture, directory, String(umask), String(uid ?? '')], { encoding: 'utf8' }).trim()
}

async function madeStore(name = 'store'): Promise<string> {
  const directory = join(await scratch(), name)
  await (await open(directory)).close()
  return directory
}

async function refusal(directory: string): Promise<SegueError> {
  const error: unknown = await open(directory).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isSegueError(error, 'STORE_NOT_PRIVATE')) throw new Error(`not refused: ${String(error)}`)
  return error
}

function open(directory: string): Promise<Store> {
  return openStore({ directory, unlock: custom({ wrap: key => key, unwrap: wrapped => wrapped }) })
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-place-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
