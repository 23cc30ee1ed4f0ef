use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::contact::{
    CatalogId, CompanyId, ContactId, Element, ElementId, GroupId, LeadId, PipelineId, StageId, Tag, UnixSeconds, UserId,
};

fn page<R: Record>(json: &Value) -> Result<Listing<R>, CrmError> {
    R::page(json.to_string().as_bytes())
}

fn contact(json: &Value) -> Contact {
    let list = page::<Contact>(&json!({"_embedded": {"contacts": [json]}})).unwrap();
    let [contact] = <[_; 1]>::try_from(list.records).unwrap();
    contact
}

fn lead(json: &Value) -> Lead {
    let list = page::<Lead>(&json!({"_embedded": {"leads": [json]}})).unwrap();
    let [lead] = <[_; 1]>::try_from(list.records).unwrap();
    lead
}

#[test]
fn a_whole_contact_is_read() {
    let contact = contact(&json!({
        "id": 20_871_103, "name": "Irina Sokolova", "first_name": "Irina", "last_name": "Sokolova",
        "responsible_user_id": 9_104_417, "group_id": 0, "created_by": 0, "updated_by": 9_104_417,
        "created_at": 1_760_515_200, "updated_at": 1_767_340_790, "closest_task_at": 1_767_427_190,
        "is_deleted": false, "is_unsorted": false,
        "custom_fields_values": [
            {"field_id": 1, "field_name": "Phone", "field_code": "PHONE", "field_type": "multitext", "values": [
                {"value": "+7 (999) 123-45-67", "enum_id": 1, "enum_code": "MOB"}, {"value": "84951112233"}]},
            {"field_id": 2, "field_name": "Phone", "field_code": null, "values": [{"value": "4155550199"}]},
            {"field_id": 3, "field_name": "Mail", "field_code": "EMAIL", "values": [{"value": "i@example.com"}]}],
        "account_id": 31_402_211, "_links": {"self": {"href": "x"}},
        "_embedded": {
            "tags": [{"id": 1, "name": "VIP", "color": null}, {"id": 2, "name": "Old", "color": "ff0000"}],
            "companies": [{"id": 20_871_090, "_links": {}}],
            "leads": [{"id": 15_550_017, "_links": {}}, {"id": 15_561_204}],
            "catalog_elements": [
                {"id": 4410, "metadata": {"quantity": 0.5, "catalog_id": 7712, "price_id": 771_950}, "_links": {}},
                {"id": 4411, "metadata": []}, {"metadata": {"quantity": 1}}]}}));
    let bare_element = Element { id: ElementId(4411), catalog: None, quantity: None, price_field: None };
    let half = Element {
        id: ElementId(4410),
        catalog: Some(CatalogId(7712)),
        quantity: serde_json::Number::from_f64(0.5),
        price_field: Some(771_950),
    };
    let expected = Contact {
        id: ContactId(20_871_103),
        name: "Irina Sokolova".into(),
        first_name: "Irina".into(),
        last_name: "Sokolova".into(),
        owner: Some(UserId(9_104_417)),
        group: Some(GroupId(0)),
        created_at: Some(UnixSeconds(1_760_515_200)),
        updated_at: Some(UnixSeconds(1_767_340_790)),
        next_task_at: Some(UnixSeconds(1_767_427_190)),
        phones: vec!["+7 (999) 123-45-67".into(), "84951112233".into()],
        emails: vec!["i@example.com".into()],
        tags: vec![Tag { name: "VIP".into(), color: None }, Tag { name: "Old".into(), color: Some("ff0000".into()) }],
        company: Some(CompanyId(20_871_090)),
        leads: vec![LeadId(15_550_017), LeadId(15_561_204)],
        elements: vec![half, bare_element],
        is_deleted: false,
    };
    assert!(contact == expected);
}

#[test]
fn a_contact_needs_nothing_but_its_id() {
    let bare = contact(&json!({"id": 7}));
    let nulls = contact(&json!({
        "id": "7", "name": null, "first_name": null, "last_name": "", "responsible_user_id": 0, "created_at": null,
        "updated_at": 0, "closest_task_at": null, "is_deleted": null, "custom_fields_values": null, "_embedded": null}));
    assert!(bare == nulls);
    assert_eq!((bare.id, bare.owner, bare.name.as_str()), (ContactId(7), None, ""));
}

#[test]
fn members_of_another_type_count_as_absent() {
    let bare = contact(&json!({"id": 7}));
    for odd in [json!({"a": 1}), json!([1, {"b": []}]), json!(true), json!(-3), json!({})] {
        let contact = contact(&json!({
            "id": 7, "responsible_user_id": odd, "created_at": odd, "updated_at": odd, "closest_task_at": odd,
            "custom_fields_values": odd, "_embedded": odd}));
        assert!(contact == bare, "{odd}");
    }
}

#[test]
fn a_phone_is_taken_from_text_or_number_by_the_code_of_its_field() {
    let phones = |values: Value| {
        contact(&json!({"id": 7, "custom_fields_values": [{"field_code": "PHONE", "values": values}]})).phones
    };
    assert_eq!(phones(json!([{"value": 79_991_234_567_u64}])), ["79991234567"]);
    assert_eq!(phones(json!([{"value": 79_991_234_567.0}])), ["79991234567"]);
    assert_eq!(phones(json!([{"value": " tel. 5 "}, {"value": ""}, {"value": " "}, {}])), [" tel. 5 "]);
    assert_eq!(phones(json!({"1": {"value": "a"}, "3": {"value": "b"}})), ["a", "b"], "a PHP list with gaps");
    for odd in [json!(null), json!("+1415"), json!(["+1415", 7, null]), json!([{"value": {"x": 1}}, {"value": [1]}])] {
        assert!(phones(odd.clone()).is_empty(), "{odd}");
    }
}

#[test]
fn the_recycle_bin_is_left_out() {
    let list = page::<Contact>(&json!({"_embedded": {"contacts": [
        {"id": 1, "is_deleted": true}, {"id": 2, "is_deleted": 0}, {"id": 3, "is_deleted": 1}]}}));
    let ids: Vec<_> = list.unwrap().records.iter().map(|contact| contact.id.0).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn a_record_without_an_id_spoils_its_page() {
    for record in
        [json!({}), json!({"id": null}), json!({"id": -1}), json!({"id": 1.5}), json!(7), json!("x"), json!(null)]
    {
        let list = page::<Contact>(&json!({"_embedded": {"contacts": [{"id": 1}, record]}}));
        assert_eq!(list.unwrap_err(), WITHOUT_ID, "{record}");
    }
}

#[test]
fn a_price_is_a_number_of_any_kind_or_none() {
    let price = |price: Value| lead(&json!({"id": 1, "price": price})).price.map(|price| price.to_string());
    assert_eq!(price(json!(184_000)), Some("184000".into()));
    assert_eq!(price(json!(99.5)), Some("99.5".into()));
    assert_eq!(price(json!(-20)), Some("-20".into()));
    assert_eq!(price(json!(0)), Some("0".into()));
    assert_eq!(price(json!("250")), Some("250".into()));
    for none in [json!(null), json!("much"), json!(""), json!([]), json!({}), json!(true)] {
        assert_eq!(price(none.clone()), None, "{none}");
    }
}

#[test]
fn a_lead_is_read() {
    let lead = lead(&json!({"id": 1, "name": "Roof", "pipeline_id": 3, "status_id": 142, "updated_at": 9}));
    assert_eq!(
        (lead.name.as_deref(), lead.pipeline, lead.stage),
        (Some("Roof"), Some(PipelineId(3)), Some(StageId::WON))
    );
    assert_eq!(lead.updated_at, Some(UnixSeconds(9)));
}

#[test]
fn a_further_page_is_one_that_is_linked() {
    let tail = |links: Value| page::<Lead>(&json!({"_links": links, "_embedded": {"leads": []}})).unwrap().tail;
    assert_eq!(tail(json!({"next": {"href": "x"}})), Tail::More);
    assert_eq!(tail(json!({"next": "x"})), Tail::More);
    for links in [json!({"next": null}), json!({"self": {}}), json!({}), json!([]), json!(null)] {
        assert_eq!(tail(links.clone()), Tail::End, "{links}");
    }
}

#[test]
fn pipelines_users_and_companies_are_read() {
    let pipelines = page::<Pipeline>(&json!({"_total_items": 1, "_embedded": {"pipelines": [
        {"id": 3, "name": "Sales", "_embedded": {"statuses": [{"id": 142, "name": "Won"}, {"id": 5, "name": null}, {}]}}]}}));
    let won = Named { id: 142, name: Some("Won".into()) };
    let stages = vec![won, Named { id: 5, name: None }];
    let sales = Pipeline { id: PipelineId(3), name: Some("Sales".into()), stages };
    assert_eq!(pipelines.unwrap().records, [sales]);
    let users = page::<User>(&json!({"_embedded": {"users": [
        {"id": 71, "name": "Olivia", "rights": {"group_id": 0}}, {"id": 72, "rights": {"group_id": null}}]}}));
    let olivia = User { id: UserId(71), name: Some("Olivia".into()), group: Some(GroupId(0)) };
    assert_eq!(users.unwrap().records, [olivia, User { id: UserId(72), name: None, group: None }]);
    for list in ["companies", "elements"] {
        let named = page::<Named>(&json!({"_embedded": {list: [{"id": 71, "name": "Olivia"}]}}));
        assert_eq!(named.unwrap().records, [Named { id: 71, name: Some("Olivia".into()) }]);
    }
}

#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(<Contact>::page(deep(1_000_000).as_bytes()).is_ok_and(|list| list.tail == Tail::Unsaid));
    let unknown = format!(r#"{{"x":{},"_embedded":{{"contacts":[{{"id":7}}]}}}}"#, deep(1_000_000));
    assert_eq!(<Contact>::page(unknown.as_bytes()).unwrap().records.len(), 1);
    let objects = format!(r#"{{"_embedded":{}1{}}}"#, r#"{"contacts":"#.repeat(200_000), "}".repeat(200_000));
    assert_eq!(<Contact>::page(objects.as_bytes()).unwrap_err(), WITHOUT_ID);
}

/// Any JSON, with names and values that the reader knows among the others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("PHONE")),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "_links",
        "next",
        "_embedded",
        "contacts",
        "leads",
        "users",
        "companies",
        "pipelines",
        "statuses",
        "tags",
        "id",
        "name",
        "custom_fields_values",
        "field_code",
        "values",
        "value",
        "is_deleted",
        "updated_at",
        "price",
        "color",
    ]);
    leaf.prop_recursive(8, 96, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Reads it in every way there is; which errors come does not matter here.
fn read_all(json: &[u8]) -> bool {
    let body = || Body::Json(json.to_vec().into());
    let records = [
        Listing::<Contact>::read(body()).is_ok(),
        Listing::<Lead>::read(body()).is_ok(),
        Listing::<Pipeline>::read(body()).is_ok(),
        Listing::<Named>::read(body()).is_ok(),
    ];
    let account = Account::read(body()).is_ok();
    account || records.contains(&true)
}

proptest! {
    #[test]
    fn any_json_is_read_without_panic_and_refused_only_for_want_of_an_id(json in any_json()) {
        read_all(json.to_string().as_bytes());
        match page::<Contact>(&json) {
            Ok(list) => prop_assert!(list.records.iter().all(|contact| contact.id.0 != 0)),
            Err(error) => prop_assert_eq!(error, WITHOUT_ID),
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        read_all(&bytes);
    }

    #[test]
    fn a_cut_page_is_never_taken_for_a_whole_one(json in any_json(), at in 0.0..1.0_f64) {
        let text = json!({"_embedded": {"contacts": [], "x": json}}).to_string();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a short text")]
        let cut = (text.len() as f64 * at) as usize;
        prop_assert!(!read_all(&text.as_bytes()[..cut]));
    }
}
