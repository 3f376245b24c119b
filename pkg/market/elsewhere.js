// What an import finds that is no Worker. The names are exported so that it shows this message.
export default undefined;
export const Skills = undefined;
export const Exchange = undefined;
throw new Error('farebox-market runs on Cloudflare Workers only: bundle it with wrangler, or with the conditions workerd and worker');
