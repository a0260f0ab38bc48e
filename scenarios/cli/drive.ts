export function driveCommand(_script: string, _options: unknown): number {
  return 2;
}
