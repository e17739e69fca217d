type Html = (strings: TemplateStringsArray, ...values: any[]) => unknown;
declare const htm: { bind(h: unknown): Html };
export default htm;
