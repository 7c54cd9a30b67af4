/** Starts devices as processes of their own and talks to them. What a test does not stop goes with it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { DeviceId } from '@segue/engine'
import { onTestFinished } from 'vitest'
import type { DeviceAnswers, DeviceReport, DeviceRequest, NumberedRequest } from './device-protocol.ts'

export interface DeviceChild {
  readonly id: DeviceId
  /** Rejects when the device fails at it, or is gone. */
  ask<Type extends DeviceRequest['type']>(request: Extract<DeviceRequest, { readonly type: Type }>): Promise<DeviceAnswers[Type]>
  /** By SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Resolves when it is gone, whoever killed it. */
  readonly gone: Promise<void>
}

export interface DevicePlace {
  readonly name: string
  readonly directory: string
  readonly port: number
}

/** Resolves when it is open. `onSaved` hears of every edit that is on its disk. */
export async function startChild(
  { name, directory, port }: DevicePlace,
  onSaved: (run: string, number: number) => void = () => undefined,
): Promise<DeviceChild> {
  const path = fileURLToPath(new URL('../bundle/device-process.js', import.meta.url))
  const child = spawn(process.execPath, [path, name, directory, String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const gone = once(child, 'exit').then(() => undefined)
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)

  const waiting = new Map<number, { readonly resolve: (value: never) => void; readonly reject: (reason: unknown) => void }>()
  let asked = 0
  const ready = new Promise<DeviceId>((resolve, reject) => {
    void gone.then(() => {
      reject(new Error(`${name} ended before it was open`))
      for (const { reject: giveUp } of waiting.values()) giveUp(new Error(`${name} is gone`))
    })
    child.on('message', (report: DeviceReport) => {
      switch (report.type) {
        case 'ready':
          return resolve(report.id)
        case 'saved':
          return onSaved(report.run, report.number)
        case 'answer':
          return waiting.get(report.number)?.resolve(report.value as never)
        case 'failed':
          return waiting.get(report.number)?.reject(new Error(`${name}: ${report.error}`))
      }
    })
  })
  return {
    id: await ready,
    gone,
    kill,
    ask(request) {
      const number = asked++
      return new Promise((resolve, reject) => {
        waiting.set(number, { resolve, reject })
        child.send({ number, request } satisfies NumberedRequest, error => (error === null ? undefined : reject(error)))
      })
    },
  }
}
