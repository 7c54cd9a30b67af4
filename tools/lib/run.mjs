/** Starts a command of this workspace, shows what it prints, gives its exit code. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** No tool of the build reports home. */
export const QUIET_TOOLS = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }

/** The JavaScript entry of an installed package's command, so that no shell and no platform wrapper is needed. */
export function bin(relativePath) {
  return path.join(ROOT, 'node_modules', relativePath)
}

/**
 * @param {readonly string[]} args for Node
 * @param {{stdout?: 'inherit' | 'stderr' | 'capture', env?: Record<string, string>, cwd?: string, node?: string}} [options] by default this very Node
 * @returns {Promise<{code: number, output: string}>}
 */
export function runNode(args, { stdout = 'inherit', env = {}, cwd = ROOT, node = process.execPath } = {}) {
  return new Promise((resolve, reject) => {
    const target = stdout === 'stderr' ? 2 : stdout === 'capture' ? 'pipe' : 'inherit'
    const child = spawn(node, args, {
      cwd,
      env: { ...process.env, ...QUIET_TOOLS, ...env },
      stdio: ['inherit', target, 'inherit'],
    })
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', text => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: signal ? 1 : (code ?? 1), output }))
  })
}
