//! A mirror that is interrupted goes on where it was, wherever that is.

use std::sync::Arc;
use std::time::Duration;

use callcard::directory::{Directory, Feed};
use callcard::sandbox::Endpoint;
use tokio::time::sleep;

use super::{Mirrored, assert_same, settings};

#[tokio::test(start_paused = true)]
async fn interrupted_after_every_few_requests_it_still_reads_nothing_twice() {
    let Mirrored { service, folder, .. } = &Mirrored::still(|options| {
        options.sandbox.contacts = 1_200;
        options.directory = None;
    });
    let open = || Directory::open(settings(folder.path())).unwrap();
    let feed =
        |directory: &Directory| Feed::new(directory.clone(), service.crm.clone(), service.names.clone(), Arc::new(()));
    let mut starts = 0;
    loop {
        let directory = open();
        let running = tokio::spawn(feed(&directory).run());
        let before = service.sandbox.count_all();
        // Each start asks for the account first; then one to four requests of the work are let through, and it is over.
        while service.sandbox.count_all() < before + 2 + starts % 4 {
            sleep(Duration::from_millis(50)).await;
        }
        sleep(Duration::from_millis(100)).await;
        running.abort();
        let _ = running.await;
        starts += 1;
        assert!(starts < 200, "it does not get on");
        if directory.status().unwrap().complete {
            break;
        }
    }
    let directory = open();
    feed(&directory).sync(|_| ()).await.unwrap();
    assert_same(&directory, &service.sandbox);
    let mut windows: Vec<String> = service
        .sandbox
        .calls()
        .into_iter()
        .filter(|call| call.endpoint == Endpoint::ContactsList && !call.query.contains("updated_at"))
        .map(|call| call.query)
        .collect();
    let all = windows.len();
    windows.sort_unstable();
    windows.dedup();
    assert_eq!(all, windows.len(), "a window was read twice");
}

#[tokio::test(start_paused = true)]
async fn a_restart_costs_an_increment_and_not_a_transfer() {
    let mut mirrored = Mirrored::current(|options| options.sandbox.contacts = 1_000).await;
    mirrored.stop();
    sleep(Duration::from_secs(3_600)).await;
    mirrored.sandbox().set_phones(7, &["+1 917 555 0001"]).unwrap();
    mirrored.sandbox().delete_contact(1).unwrap();
    mirrored.sandbox().reset_calls();
    mirrored.start();
    sleep(Duration::from_secs(10)).await;
    assert_same(mirrored.directory(), mirrored.sandbox());
    assert!(mirrored.sandbox().count_all() <= 10, "{}", mirrored.sandbox().count_all());
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_answers_with_nothing_at_times_loses_us_nobody() {
    let mirrored = Mirrored::running(|options| {
        options.sandbox.contacts = 900;
        options.sandbox.faults = vec!["contacts_list,contacts_by_id,leads:204%15".parse().unwrap()];
    });
    mirrored.until_current().await;
    assert_eq!(mirrored.directory().status().unwrap().contacts as usize, super::truth(mirrored.sandbox()).len());
    mirrored.sandbox().clear_faults();
    mirrored.directory().hint(&[callcard::contact::ContactId(7)], &[]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(mirrored.directory().status().unwrap().contacts as usize, super::truth(mirrored.sandbox()).len());
}
