import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { API_VERSION, type DaemonAddress } from '../daemon/api.ts'
import { connectToDaemon, DaemonDown } from './daemon-client.ts'

test('a port that a dead daemon left behind is told nothing: somebody else may have it', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'segue-client-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  let requests = 0
  const impostor = createServer((_request, response) => {
    requests++
    response.end('{"type":"result","value":{}}\n')
  })
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  onTestFinished(() => void impostor.close())
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  const pid = dead.pid as number
  const { port } = impostor.address() as AddressInfo
  const runtime = path.join(directory, 'daemon.json')
  await writeFile(
    runtime,
    JSON.stringify({ apiVersion: API_VERSION, pid, supervisor: pid, port, token: 'secret' } satisfies DaemonAddress),
    {
      mode: 0o600,
    },
  )

  await expect(connectToDaemon(runtime)).rejects.toThrow(DaemonDown)
  expect(requests).toBe(0)
})

test.skipIf(process.platform === 'win32')(
  'a file that others may write could name their daemon: it is told nothing (not run: Windows has no such rights)',
  async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'segue-client-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const runtime = path.join(directory, 'daemon.json')
    const { pid } = process
    await writeFile(runtime, JSON.stringify({ apiVersion: API_VERSION, pid, supervisor: pid, port: 1, token: 'x' } satisfies DaemonAddress))
    await chmod(runtime, 0o622)
    await expect(connectToDaemon(runtime)).rejects.toMatchObject({ code: 'STORE_NOT_PRIVATE', details: { mend: `chmod 600 ${runtime}` } })
  },
)
