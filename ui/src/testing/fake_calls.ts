// What a backend was asked for, in order: for tests.

export class FakeCalls {
  calls: unknown[][] = [];

  called(name: string, ...values: unknown[]): void {
    this.calls.push([name, ...values]);
  }
}
