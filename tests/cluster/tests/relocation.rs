/// What containers get, before and after.
mod consumers;
