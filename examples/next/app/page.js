export default function Page() {
  return <h1>Reports are at /report, for a cent.</h1>;
}
