// The parent's end of a side's process.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Measured, Order, SideName } from './side.ts'

const program = fileURLToPath(new URL('client-process.ts', import.meta.url))

interface Report {
  readonly ready?: true
  readonly measured?: Measured
  readonly failure?: string
}

export class SideProcess {
  readonly name: SideName
  private readonly child: ChildProcess

  private constructor(name: SideName, child: ChildProcess) {
    this.name = name
    this.child = child
  }

  /** Starts it and waits until its client is connected. */
  static async open(name: SideName, url: string, profileDirectory: string | undefined): Promise<SideProcess> {
    const execArgv = ['--disable-warning=ExperimentalWarning']
    if (profileDirectory !== undefined) execArgv.push('--cpu-prof', '--cpu-prof-dir', profileDirectory)
    const child = fork(program, [name.client, url], { execArgv })
    const side = new SideProcess(name, child)
    await side.report()
    return side
  }

  async measure(order: Order): Promise<Measured> {
    this.child.send(order)
    const { measured, failure } = await this.report()
    if (measured === undefined) throw new Error(`${this.title} could not do "${order.workload}": ${failure}`)
    return measured
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.disconnect()
    await ended
  }

  private get title(): string {
    return `${this.name.client} on ${this.name.server}`
  }

  private report(): Promise<Report> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`${this.title} ended`))
      this.child.once('exit', onExit)
      this.child.once('message', (report: Report) => {
        this.child.off('exit', onExit)
        resolve(report)
      })
    })
  }
}
