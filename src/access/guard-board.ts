/** Whether admission really guards, told by whoever tries it; stands in the installation's status. */

export interface AdmissionReport {
  readonly guards: boolean;
  /** CamelCase, for the condition. */
  readonly reason: string;
  readonly message: string;
}

export interface GuardBoard {
  /** Undefined until it was tried. */
  current(): AdmissionReport | undefined;
  tell(report: AdmissionReport): void;
  /** Called when the report became another one. */
  onChange(handler: () => void): void;
}

export function createGuardBoard(): GuardBoard {
  let told: AdmissionReport | undefined;
  const handlers: (() => void)[] = [];
  return {
    current: () => told,
    tell(report) {
      const isSame =
        told?.guards === report.guards &&
        told.reason === report.reason &&
        told.message === report.message;
      if (isSame) return;
      told = report;
      for (const handler of handlers) handler();
    },
    onChange: (handler) => void handlers.push(handler),
  };
}
