export function useEffect(work: () => void | (() => void), reads?: unknown[]): void;
export function useLayoutEffect(work: () => void | (() => void), reads?: unknown[]): void;
export function useMemo<T>(make: () => T, reads: unknown[]): T;
export function useRef<T>(first: T): { current: T };
export function useState<T>(first: T): [T, (next: T) => void];
