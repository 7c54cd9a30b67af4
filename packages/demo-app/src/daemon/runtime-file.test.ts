import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { API_VERSION } from './api.ts'
import { publishAddress } from './runtime-file.ts'

const ADDRESS = { apiVersion: API_VERSION, pid: 1, supervisor: 1, port: 1, token: 'the token' }

test.skipIf(process.platform === 'win32')('the token goes into no file that somebody laid ready', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'segue-runtime-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const [runtime, elsewhere] = [path.join(directory, 'daemon.json'), path.join(directory, 'elsewhere')]
  await writeFile(`${runtime}.new`, '')
  await chmod(`${runtime}.new`, 0o666)
  await publishAddress(runtime, ADDRESS)
  expect((await stat(runtime)).mode & 0o777).toBe(0o600)

  await writeFile(elsewhere, '')
  await symlink(elsewhere, `${runtime}.new`)
  await publishAddress(runtime, ADDRESS)
  expect(await readFile(elsewhere, 'utf8')).toBe('')
  expect(JSON.parse(await readFile(runtime, 'utf8'))).toEqual(ADDRESS)
})
