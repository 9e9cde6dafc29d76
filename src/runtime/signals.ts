/**
 * An AbortSignal for SIGTERM and SIGINT. The first asks for a graceful stop; a second one ends the
 * process at once, with the shell's exit code for that signal.
 */
export function terminationSignal(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  const onSignal = (exitCode: number) => (): void => {
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort(new Error('asked to stop'));
  };
  process.on('SIGTERM', onSignal(143));
  process.on('SIGINT', onSignal(130));
  return controller.signal;
}
