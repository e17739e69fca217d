export type VNode = unknown;
export type Child = unknown;
export function h(type: unknown, props: object | null, ...children: unknown[]): VNode;
export function render(node: VNode, parent: Element): void;
