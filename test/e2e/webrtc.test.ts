/** WebRTC that a relay brings about, on a host of the test's own: elsewhere it would send on the machine's real interfaces. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createTestLan, whyNoNamespaces } from './namespaces.ts'

const why = whyNoNamespaces()
const notRun = why === undefined ? '' : ` (not run: ${why})`
const SCRIPT = fileURLToPath(new URL('webrtc-process.mjs', import.meta.url))

test.skipIf(why !== undefined)(
  `[N42] two devices that cannot be dialled go past their relay by WebRTC, without any ICE server${notRun}`,
  { timeout: 90_000 },
  async () => {
    const lan = createTestLan(1)
    try {
      const [command, ...before] = lan.on(0) as [string, ...string[]]
      const { stdout } = await promisify(execFile)(command, [...before, process.execPath, SCRIPT])
      const seen = JSON.parse(stdout) as { readonly paths: readonly string[]; readonly handoff: string }
      expect(seen.paths).toContain('relayed')
      expect([seen.paths.at(-1), seen.handoff]).toEqual(['direct', 'done'])
    } finally {
      lan.remove()
    }
  },
)
