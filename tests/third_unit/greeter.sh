greeter_test() {
    output=$(greeter -t 2>&1)
    code=$?
}

greeter_loaded() { loaded_id=$(served_id 8406); }
