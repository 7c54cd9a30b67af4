/**
 * Where things lie on this machine: XDG on Linux and its siblings elsewhere; SEGUE_HOME puts everything into one folder, which is
 * how two devices live on one machine.
 */
import path from 'node:path'
import envPaths from 'env-paths'

export interface Paths {
  /** The store: sealed chunks, sealed records, key slots. 0700. Back this up, or lose it. */
  readonly data: string
  /** Settings that a person may edit. */
  readonly config: string
  /** Logs. May be deleted at any time. */
  readonly log: string
  /** How to reach the running daemon: its port and token. 0600; gone when the daemon is. */
  readonly runtime: string
}

export function resolvePaths(env: Readonly<Record<string, string | undefined>> = process.env): Paths {
  const home = env['SEGUE_HOME']
  if (home !== undefined && home !== '') {
    const root = path.resolve(home)
    return {
      data: path.join(root, 'data'),
      config: path.join(root, 'config.json'),
      log: path.join(root, 'log'),
      runtime: path.join(root, 'daemon.json'),
    }
  }
  const places = envPaths('segue', { suffix: '' })
  return {
    data: path.join(places.data, 'store'),
    config: path.join(places.config, 'config.json'),
    log: places.log,
    runtime: path.join(places.data, 'daemon.json'),
  }
}

/** Where the key lies when it is kept in a file. */
export function keyFilePath(paths: Paths): string {
  return path.join(path.dirname(paths.data), 'device.key')
}
