/** Stacks of layers of known networks: along the way that sees most; 1 × 1 layers of stride 1 change nothing, left out. */

/** @typedef {{key: string, title: string, what: string, layers: import("./fields.js").Layer[]}} Stack */

/** @param {number} kernel @param {number} [stride] */
function conv(kernel, stride = 1) {
  return { kind: /** @type {const} */ ("conv"), kernel, stride, padding: (kernel - 1) / 2, dilation: 1 };
}

/** @param {number} kernel @param {number} stride @param {number} padding */
function max(kernel, stride, padding) {
  return { kind: /** @type {const} */ ("max"), kernel, stride, padding, dilation: 1 };
}

/** @param {number} count @param {() => import("./fields.js").Layer[]} make */
function times(count, make) {
  return Array.from({ length: count }, make).flat();
}

/** @param {boolean} early whether the stride is on the 1 × 1 layer before the 3 × 3 one */
function resnet50(early) {
  const stages = [3, 4, 6, 3].map((blocks, stage) => {
    const rest = times(blocks - 1, () => [conv(3)]);
    return stage === 0 ? [conv(3), ...rest] : early ? [conv(1, 2), conv(3), ...rest] : [conv(3, 2), ...rest];
  });
  return [conv(7, 2), max(3, 2, 1), ...stages.flat()];
}

/** Kernel, stride of the first block, and blocks, of each stage of EfficientNet-B0 (Tan and Le 2019, table 1). */
const EFFICIENT = [
  [3, 1, 1],
  [3, 2, 2],
  [5, 2, 2],
  [3, 2, 3],
  [5, 1, 3],
  [5, 2, 4],
  [3, 1, 1],
];

/** @type {Stack[]} */
export const STACKS = [
  {
    key: "vgg16",
    title: "VGG-16",
    what: "to its last pool",
    layers: [2, 2, 3, 3, 3].flatMap((count) => [...times(count, () => [conv(3)]), max(2, 2, 0)]),
  },
  { key: "resnet50", title: "ResNet-50", what: "stride on the 3 × 3 layer, as torchvision has it", layers: resnet50(false) },
  { key: "resnet50-early", title: "ResNet-50, early stride", what: "stride on the 1 × 1 layer, as in the paper", layers: resnet50(true) },
  {
    key: "efficientnet-b0",
    title: "EfficientNet-B0",
    what: "its depthwise layers",
    layers: [
      conv(3, 2),
      ...EFFICIENT.flatMap(([kernel, stride, blocks]) => [conv(kernel, stride), ...times(blocks - 1, () => [conv(kernel)])]),
    ],
  },
];

/** What one's own stack begins with. */
export const OWN = [conv(3), conv(3), max(2, 2, 0), conv(3), conv(3)];
